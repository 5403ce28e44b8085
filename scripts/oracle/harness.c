/*
 * Runs test instructions on the host's CPU and records what they did. Freestanding (no C library), so that FS, GS and every
 * general register belong to the test.
 *
 * Every test ends with a signal: the code region is filled with HLT, which user mode may not execute, so even a test that
 * succeeds stops with #GP at a known address. The signal handler writes the registers found in its frame to the output, puts
 * the next test's registers into the same frame and returns; the kernel's sigreturn then starts the next test.
 *
 *   harness <input >output       records as laid out below; layouts mirrored in native.ts
 */
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define INPUT_BYTES 4096
#define OUTPUT_BYTES 4096
#define CODE_MAX 512
#define PATCH_AREA 2560

struct header {
    u32 count;
    u32 code_address, code_bytes;
    u32 page_count;
    u32 page_address[8];
    u32 page_writable[8];
    u64 fs_base, gs_base;
};

struct input {
    u64 gpr[16];
    u64 rip, rflags;
    u32 code_address;
    u16 code_length, patch_length;
    u8 reserved[512 - 152];
    u8 fx[512];
    u8 code[CODE_MAX];
    u8 patches[PATCH_AREA]; /* u32 address, u16 length, bytes; repeated */
};

struct output {
    u64 gpr[16];
    u64 rip, rflags;
    u64 vector, error, address;
    u16 change_length, overflow;
    u8 reserved[512 - 172];
    u8 fx[512];
    u8 changes[3072]; /* u32 address, u16 length, bytes; repeated */
};

_Static_assert(sizeof(struct input) == INPUT_BYTES, "input record");
_Static_assert(sizeof(struct output) == OUTPUT_BYTES, "output record");

/* The kernel's signal frame, as far as used (asm/sigcontext.h, asm/ucontext.h). */
struct signal_context {
    u64 r8, r9, r10, r11, r12, r13, r14, r15;
    u64 rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
    u16 cs, gs, fs, ss;
    u64 err, trapno, oldmask, cr2;
    u8 *fpstate;
};
struct user_context {
    u64 flags;
    void *link;
    struct { void *sp; int flags; u64 size; } stack;
    struct signal_context mc;
};
struct kernel_action {
    void (*handler)(int, void *, void *);
    u64 flags;
    void (*restorer)(void);
    u64 mask;
};

static long call6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return result;
}

static void leave(int code) { call6(231, code, 0, 0, 0, 0, 0); __builtin_unreachable(); }

static void die(const char *text)
{
    size_t length = 0;
    while (text[length]) length++;
    call6(1, 2, (long)text, (long)length, 0, 0, 0);
    leave(1);
}

void *memcpy(void *to, const void *from, size_t n) { u8 *t = to; const u8 *f = from; while (n--) *t++ = *f++; return to; }
void *memset(void *to, int byte, size_t n) { u8 *t = to; while (n--) *t++ = (u8)byte; return to; }

static void read_all(void *to, size_t bytes)
{
    u8 *at = to;
    while (bytes) {
        long n = call6(0, 0, (long)at, (long)bytes, 0, 0, 0);
        if (n <= 0) die("harness: input too short\n");
        at += n;
        bytes -= (size_t)n;
    }
}

static void write_all(const void *from, size_t bytes)
{
    const u8 *at = from;
    while (bytes) {
        long n = call6(1, 1, (long)at, (long)bytes, 0, 0, 0);
        if (n <= 0) die("harness: cannot write\n");
        at += n;
        bytes -= (size_t)n;
    }
}

static struct header head;
static struct input in;
static struct output out;
static u8 base[8][4096];
static u8 shadow[8][4096];
static u8 signal_stack[1 << 17] __attribute__((aligned(64)));
static u8 *code_alias; /* writable view of the code region */
static u32 done;
static int running;

static u8 *shadow_of(u32 address)
{
    for (u32 p = 0; p < head.page_count; p++)
        if (address - head.page_address[p] < 4096u) return &shadow[p][address - head.page_address[p]];
    die("harness: patch outside the data pages\n");
    return 0;
}

static void collect(struct user_context *uc)
{
    const struct signal_context *mc = &uc->mc;
    u64 gpr[16] = { mc->rax, mc->rcx, mc->rdx, mc->rbx, mc->rsp, mc->rbp, mc->rsi, mc->rdi,
                    mc->r8, mc->r9, mc->r10, mc->r11, mc->r12, mc->r13, mc->r14, mc->r15 };
    memset(&out, 0, sizeof out);
    memcpy(out.gpr, gpr, sizeof gpr);
    out.rip = mc->rip;
    out.rflags = mc->eflags;
    out.vector = mc->trapno;
    out.error = mc->err;
    out.address = mc->trapno == 14 ? mc->cr2 : 0;
    memcpy(out.fx, mc->fpstate, 512);
    u32 used = 0;
    for (u32 p = 0; p < head.page_count; p++) {
        u8 *page = (u8 *)(uintptr_t)head.page_address[p];
        if (!head.page_writable[p]) continue;
        for (u32 at = 0; at < 4096; at++) {
            if (!(at & 7)) while (at < 4096 && *(u64 *)(page + at) == *(u64 *)(shadow[p] + at)) at += 8;
            if (at >= 4096) break;
            if (page[at] == shadow[p][at]) continue;
            u32 end = at + 1, address = head.page_address[p] + at;
            while (end < 4096 && page[end] != shadow[p][end]) end++;
            u16 length = (u16)(end - at);
            if (used + 6 + length > sizeof out.changes) { out.overflow = 1; break; }
            memcpy(out.changes + used, &address, 4);
            memcpy(out.changes + used + 4, &length, 2);
            memcpy(out.changes + used + 6, page + at, length);
            used += 6u + length;
            at = end;
        }
    }
    out.change_length = (u16)used;
    memset(code_alias + (in.code_address - head.code_address), 0xf4, in.code_length);
    write_all(&out, sizeof out);
}

static void prepare(struct user_context *uc)
{
    struct signal_context *mc = &uc->mc;
    read_all(&in, sizeof in);
    for (u32 p = 0; p < head.page_count; p++) memcpy(shadow[p], base[p], 4096);
    for (u32 at = 0; at < in.patch_length;) {
        u32 address;
        u16 length;
        memcpy(&address, in.patches + at, 4);
        memcpy(&length, in.patches + at + 4, 2);
        for (u32 i = 0; i < length; i++) *shadow_of(address + i) = in.patches[at + 6 + i];
        at += 6u + length;
    }
    for (u32 p = 0; p < head.page_count; p++)
        if (head.page_writable[p]) memcpy((void *)(uintptr_t)head.page_address[p], shadow[p], 4096);
    if (in.code_address - head.code_address + in.code_length > head.code_bytes) die("harness: code outside its region\n");
    memcpy(code_alias + (in.code_address - head.code_address), in.code, in.code_length);
    mc->rax = in.gpr[0]; mc->rcx = in.gpr[1]; mc->rdx = in.gpr[2]; mc->rbx = in.gpr[3];
    mc->rsp = in.gpr[4]; mc->rbp = in.gpr[5]; mc->rsi = in.gpr[6]; mc->rdi = in.gpr[7];
    mc->r8 = in.gpr[8]; mc->r9 = in.gpr[9]; mc->r10 = in.gpr[10]; mc->r11 = in.gpr[11];
    mc->r12 = in.gpr[12]; mc->r13 = in.gpr[13]; mc->r14 = in.gpr[14]; mc->r15 = in.gpr[15];
    mc->rip = in.rip;
    mc->eflags = in.rflags;
    memcpy(mc->fpstate, in.fx, 464); /* the rest of the image tells the kernel about the extended state */
    *(u64 *)(mc->fpstate + 512) |= 3; /* XSTATE_BV: take x87 and SSE from the image */
}

static void on_signal(int number, void *info, void *context)
{
    (void)number;
    (void)info;
    if (running) {
        collect(context);
        done++;
    }
    running = 1;
    if (done == head.count) leave(0);
    prepare(context);
}

__asm__(".text\nrestorer:\n  mov $15, %eax\n  syscall\n");
extern void restorer(void);

static void *map(u64 address, u64 bytes, int protection, int flags, int file)
{
    long result = call6(9, (long)address, (long)bytes, protection, flags, file, 0);
    if (result < 0 && result > -4096) die("harness: mmap failed\n");
    return (void *)result;
}

enum { PROT_R = 1, PROT_W = 2, PROT_X = 4, SHARED = 1, PRIVATE = 2, FIXED = 0x100010 /* FIXED_NOREPLACE | MAP_FIXED */, ANON = 0x20 };

static void start(void)
{
    read_all(&head, sizeof head);
    if (head.page_count > 8) die("harness: too many pages\n");
    for (u32 p = 0; p < head.page_count; p++) {
        read_all(base[p], 4096);
        u8 *page = map(head.page_address[p], 4096, PROT_R | PROT_W, PRIVATE | FIXED | ANON, -1);
        memcpy(page, base[p], 4096);
        if (!head.page_writable[p]) call6(10, (long)page, 4096, PROT_R, 0, 0, 0);
    }
    long file = call6(319, (long)"code", 0, 0, 0, 0, 0); /* memfd_create */
    if (file < 0 || call6(77, file, head.code_bytes, 0, 0, 0, 0) < 0) die("harness: no memory for code\n");
    map(head.code_address, head.code_bytes, PROT_R | PROT_X, SHARED | FIXED, (int)file);
    code_alias = map(0, head.code_bytes, PROT_R | PROT_W, SHARED, (int)file);
    memset(code_alias, 0xf4, head.code_bytes);

    struct { void *sp; int flags; u64 size; } stack = { signal_stack, 0, sizeof signal_stack };
    if (call6(131, (long)&stack, 0, 0, 0, 0, 0)) die("harness: sigaltstack failed\n");
    struct kernel_action action = { on_signal, 0x4 | 0x08000000 | 0x04000000, restorer, 0 }; /* SIGINFO ONSTACK RESTORER */
    static const int signals[] = { 4, 5, 7, 8, 11 };
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        if (call6(13, signals[i], (long)&action, 0, 8, 0, 0)) die("harness: sigaction failed\n");
    __asm__ volatile("wrfsbase %0" : : "r"(head.fs_base));
    __asm__ volatile("wrgsbase %0" : : "r"(head.gs_base));
    __asm__ volatile("ud2");
    __builtin_unreachable();
}

__asm__(".globl _start\n_start:\n  xor %ebp, %ebp\n  and $-64, %rsp\n  call run\n");
__attribute__((used)) void run(void) { start(); }
