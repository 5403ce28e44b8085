/*
 * Runs x87 (and scalar SSE) instructions natively, one a record, so that the core can be compared with a real CPU.
 *
 * Records of 240 bytes come on standard input and go, with what the instruction did to them, to standard output:
 *   0  u8 length of the code, then up to 13 bytes of code; its memory operand, if any, is at (%rsi)
 *  14  u16 ax (out)
 *  16  u16 fcw, fsw, abridged ftw, fop (fop: out, 0 unless an exception is pending)
 *  24  u32 mxcsr, u32 rflags (arithmetic flags only)
 *  32  ST(0) .. ST(7), 10 bytes each
 * 112  u64 low halves of xmm0 and xmm1
 * 128  112 bytes of memory operand
 * A record whose instruction raised SIGFPE comes back with code length 0xff.
 *
 * gcc -O1 oracle-x87.c -o oracle-x87
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define RECORD 240
#define FLAGS 0x8d5u

static uint8_t area[512] __attribute__((aligned(16)));
static uint8_t saved[512] __attribute__((aligned(16)));
static uint8_t operand[256] __attribute__((aligned(64)));
static sigjmp_buf back;

static void on_fpe(int signal) {
  (void)signal;
  siglongjmp(back, 1);
}

static void run(void *code, uint32_t *flags, uint16_t *ax) {
  uint64_t f = *flags, a = 0;
  __asm__ volatile("fxsave64 %[saved]\n\t"
                   "fxrstor64 %[area]\n\t"
                   "lea -128(%%rsp), %%rsp\n\t"
                   "push %[f]\n\t"
                   "popfq\n\t"
                   "call *%[code]\n\t"
                   "pushfq\n\t"
                   "pop %[f]\n\t"
                   "lea 128(%%rsp), %%rsp\n\t"
                   "fxsave64 %[area]\n\t"
                   "fxrstor64 %[saved]\n\t"
                   : [f] "+r"(f), [a] "+a"(a), [area] "+m"(area), [saved] "+m"(saved)
                   : [code] "r"(code), "S"(operand)
                   : "memory", "cc");
  *flags = (uint32_t)f & FLAGS;
  *ax = (uint16_t)a;
}

int main(void) {
  uint8_t record[RECORD];
  uint8_t *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED) return 1;
  struct sigaction action = {.sa_handler = on_fpe, .sa_flags = SA_NODEFER};
  sigaction(SIGFPE, &action, 0);
  while (fread(record, RECORD, 1, stdin) == 1) {
    memcpy(code, record + 1, record[0]);
    code[record[0]] = 0xc3;
    memset(area, 0, sizeof area);
    memcpy(area, record + 16, 2);
    memcpy(area + 2, record + 18, 2);
    area[4] = record[20];
    memcpy(area + 24, record + 24, 4);
    for (int i = 0; i < 8; i++) memcpy(area + 32 + 16 * i, record + 32 + 10 * i, 10);
    memcpy(area + 160, record + 112, 8);
    memcpy(area + 176, record + 120, 8);
    memcpy(operand, record + 128, 112);
    uint32_t flags;
    uint16_t ax;
    memcpy(&flags, record + 28, 4);
    flags = (flags & FLAGS) | 2;
    if (sigsetjmp(back, 1)) {
      __asm__ volatile("fnclex\n\tfninit");
      memset(record, 0, RECORD);
      record[0] = 0xff;
    } else {
      run(code, &flags, &ax);
      memcpy(record + 14, &ax, 2);
      memcpy(record + 16, area, 2);
      memcpy(record + 18, area + 2, 2);
      record[20] = area[4];
      memset(record + 22, 0, 2);
      if (area[2] & 0x80) memcpy(record + 22, area + 6, 2);
      memcpy(record + 24, area + 24, 4);
      memcpy(record + 28, &flags, 4);
      for (int i = 0; i < 8; i++) memcpy(record + 32 + 10 * i, area + 32 + 16 * i, 10);
      memcpy(record + 112, area + 160, 8);
      memcpy(record + 120, area + 176, 8);
      memcpy(record + 128, operand, 112);
    }
    fwrite(record, RECORD, 1, stdout);
  }
  return 0;
}
