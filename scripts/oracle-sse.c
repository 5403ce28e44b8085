/*
 * Runs vector instructions natively, one a record, so that the core can be compared with a real CPU. Records of 120 bytes come on
 * standard input and go, with what the instruction did to them, to standard output; src/engine/cpu/simd/testing/record.ts has
 * their layout.
 *
 * gcc -O1 -mno-red-zone oracle-sse.c -o oracle-sse
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define FLAGS 0x8d5u
#define VECTOR_XM 19

struct record {
  uint8_t length, code[14], vector;
  uint8_t xmm[3][16];
  uint64_t mm[2];
  uint16_t exponent;
  uint8_t top, tags;
  uint32_t mxcsr;
  uint64_t rax, rcx, rdx;
  uint32_t flags, reserved;
};

static uint8_t area[512] __attribute__((aligned(16)));
static uint8_t saved[512] __attribute__((aligned(16)));
static sigjmp_buf back;

/* Place of physical x87 register n in an FXSAVE area, which counts from the top of the stack. */
static uint8_t *x87_register(uint8_t *image, unsigned n, unsigned top) { return image + 32 + 16 * ((n - top) & 7); }

static void on_fpe(int signal, siginfo_t *info, void *context) {
  ucontext_t *c = context;
  (void)signal;
  (void)info;
  memcpy(area, c->uc_mcontext.fpregs, 512);
  siglongjmp(back, 1);
}

static void run(const void *code, struct record *r) {
  uint64_t a = r->rax, c = r->rcx, d = r->rdx, f = r->flags;
  __asm__ volatile("fxsave64 %[saved]\n\t"
                   "fxrstor64 %[area]\n\t"
                   "pushq %[f]\n\t"
                   "popfq\n\t"
                   "call *%[code]\n\t"
                   "pushfq\n\t"
                   "popq %[f]\n\t"
                   "fxsave64 %[area]\n\t"
                   "fxrstor64 %[saved]\n\t"
                   : "+a"(a), "+c"(c), "+d"(d), [f] "+r"(f), [area] "+m"(area), [saved] "+m"(saved)
                   : [code] "r"(code)
                   : "memory", "cc");
  r->rax = a;
  r->rcx = c;
  r->rdx = d;
  r->flags = (uint32_t)f & FLAGS;
}

int main(void) {
  uint8_t *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct sigaction action = {.sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO};
  struct record r;
  sigaction(SIGFPE, &action, 0);
  if (code == MAP_FAILED || sizeof r != 120) return 1;
  while (fread(&r, sizeof r, 1, stdin) == 1) {
    memcpy(code, r.code, r.length);
    code[r.length] = 0xc3;
    memset(area, 0, sizeof area);
    *(uint16_t *)area = 0x37f;
    *(uint16_t *)(area + 2) = (uint16_t)(r.top << 11);
    area[4] = r.tags;
    *(uint32_t *)(area + 24) = r.mxcsr;
    memcpy(area + 160, r.xmm, sizeof r.xmm);
    for (unsigned n = 0; n < 2; n++) {
      memcpy(x87_register(area, n, r.top), &r.mm[n], 8);
      *(uint16_t *)(x87_register(area, n, r.top) + 8) = 0x3fff;
    }
    if (sigsetjmp(back, 1) == 0) run(code, &r);
    else r.vector = VECTOR_XM;
    r.top = (uint8_t)((*(uint16_t *)(area + 2) >> 11) & 7);
    r.tags = area[4];
    r.mxcsr = *(uint32_t *)(area + 24);
    memcpy(r.xmm, area + 160, sizeof r.xmm);
    for (unsigned n = 0; n < 2; n++) memcpy(&r.mm[n], x87_register(area, n, r.top), 8);
    r.exponent = *(uint16_t *)(x87_register(area, 0, r.top) + 8);
    if (fwrite(&r, sizeof r, 1, stdout) != 1) return 1;
  }
  return 0;
}
