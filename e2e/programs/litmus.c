/*
 * Litmus tests of x86's memory order (SDM Vol. 3A 8.2.3), each thread on a CPU of its own: `litmus SECONDS` runs each for so long
 * and prints "NAME: COUNT of TOTAL forbidden", or "allowed". Status 0 when nothing forbidden was seen.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INSTANCES 2048

struct instance {
  volatile uint64_t x, to_y[7];
  volatile uint64_t y, to_r[7];
  volatile uint64_t r[4], to_end[4];
} __attribute__((aligned(64)));

static struct instance *all;

#define LOAD(from) ({ uint64_t v; __asm__ volatile("movq %1, %0" : "=r"(v) : "m"(from) : "memory"); v; })
#define STORE(to, value) __asm__ volatile("movq %1, %0" : "=m"(to) : "r"((uint64_t)(value)) : "memory")
#define MFENCE() __asm__ volatile("mfence" ::: "memory")
#define LOCKED() __asm__ volatile("lock addq $0, (%%rsp)" ::: "memory", "cc")
#define XCHG(to, value) ({ uint64_t v = (value); __asm__ volatile("xchgq %0, %1" : "+r"(v), "+m"(to) : : "memory"); })
/* A compare-exchange that fails orders as one that succeeds. */
#define FAILED() ({ uint64_t here = 1, no = 0; \
  __asm__ volatile("lock cmpxchgq %2, %1" : "+a"(no), "+m"(here) : "r"(2UL) : "memory", "cc"); })

typedef void (*step)(struct instance *);
static void mp0(struct instance *i) { STORE(i->x, 1); STORE(i->y, 1); }
static void mp1(struct instance *i) { uint64_t a = LOAD(i->y), b = LOAD(i->x); i->r[0] = a, i->r[1] = b; }
static int mp(const struct instance *i) { return i->r[0] == 1 && i->r[1] == 0; }

static void sb0(struct instance *i) { STORE(i->x, 1); i->r[0] = LOAD(i->y); }
static void sb1(struct instance *i) { STORE(i->y, 1); i->r[1] = LOAD(i->x); }
static void fence0(struct instance *i) { STORE(i->x, 1); MFENCE(); i->r[0] = LOAD(i->y); }
static void fence1(struct instance *i) { STORE(i->y, 1); MFENCE(); i->r[1] = LOAD(i->x); }
static void lock0(struct instance *i) { STORE(i->x, 1); LOCKED(); i->r[0] = LOAD(i->y); }
static void lock1(struct instance *i) { STORE(i->y, 1); LOCKED(); i->r[1] = LOAD(i->x); }
static void xchg0(struct instance *i) { XCHG(i->x, 1); i->r[0] = LOAD(i->y); }
static void xchg1(struct instance *i) { XCHG(i->y, 1); i->r[1] = LOAD(i->x); }
static void fail0(struct instance *i) { STORE(i->x, 1); FAILED(); i->r[0] = LOAD(i->y); }
static void fail1(struct instance *i) { STORE(i->y, 1); FAILED(); i->r[1] = LOAD(i->x); }
static int sb(const struct instance *i) { return i->r[0] == 0 && i->r[1] == 0; }

static void lb0(struct instance *i) { i->r[0] = LOAD(i->x); STORE(i->y, 1); }
static void lb1(struct instance *i) { i->r[1] = LOAD(i->y); STORE(i->x, 1); }
static int lb(const struct instance *i) { return i->r[0] == 1 && i->r[1] == 1; }

static void ww0(struct instance *i) { STORE(i->x, 1); STORE(i->y, 2); }
static void ww1(struct instance *i) { STORE(i->y, 1); STORE(i->x, 2); }
static int ww(const struct instance *i) { return i->x == 1 && i->y == 1; }

static void rr0(struct instance *i) { STORE(i->x, 1); STORE(i->x, 2); }
static void rr1(struct instance *i) { uint64_t a = LOAD(i->x), b = LOAD(i->x); i->r[0] = a, i->r[1] = b; }
static int rr(const struct instance *i) { return i->r[0] > i->r[1]; }

static void ir0(struct instance *i) { STORE(i->x, 1); }
static void ir1(struct instance *i) { STORE(i->y, 1); }
static void ir2(struct instance *i) { uint64_t a = LOAD(i->x), b = LOAD(i->y); i->r[0] = a, i->r[1] = b; }
static void ir3(struct instance *i) { uint64_t a = LOAD(i->y), b = LOAD(i->x); i->r[2] = a, i->r[3] = b; }
static void il0(struct instance *i) { XCHG(i->x, 1); }
static void il1(struct instance *i) { XCHG(i->y, 1); }
static int ir(const struct instance *i) { return i->r[0] == 1 && i->r[1] == 0 && i->r[2] == 1 && i->r[3] == 0; }

static const struct test {
  const char *name;
  int threads;
  step steps[4];
  int (*seen)(const struct instance *);
  int allowed;
} tests[] = {
    {"message passing", 2, {mp0, mp1}, mp, 0},
    {"load buffering", 2, {lb0, lb1}, lb, 0},
    {"two writes each", 2, {ww0, ww1}, ww, 0},
    {"two reads of one place", 2, {rr0, rr1}, rr, 0},
    {"store buffering", 2, {sb0, sb1}, sb, 1},
    {"store buffering with mfence", 2, {fence0, fence1}, sb, 0},
    {"store buffering with lock", 2, {lock0, lock1}, sb, 0},
    {"store buffering with xchg", 2, {xchg0, xchg1}, sb, 0},
    {"store buffering with a failed lock cmpxchg", 2, {fail0, fail1}, sb, 0},
    {"independent reads of independent writes", 4, {ir0, ir1, ir2, ir3}, ir, 0},
    {"independent reads of independent xchg", 4, {il0, il1, ir2, ir3}, ir, 0},
};

static const struct test *running;
static int cpus;
static volatile int finished;

/* Threads meet here without sleeping, so that they start within a few instructions of one another. */
static volatile int arrived, generation;
static void meet(int count) {
  int now = generation;
  if (__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST) == count) {
    arrived = 0;
    __atomic_add_fetch(&generation, 1, __ATOMIC_SEQ_CST);
  } else
    while (generation == now) __asm__ volatile("pause");
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static double limit;
static uint64_t total, hits;

static void *body(void *arg) {
  int self = (int)(long)arg;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(self % cpus, &set);
  sched_setaffinity(0, sizeof set, &set);
  double end = seconds() + limit;
  step mine = running->steps[self];
  for (;;) {
    meet(running->threads);
    if (finished) return NULL;
    for (int n = 0; n < INSTANCES; n++) mine(&all[n]);
    meet(running->threads);
    if (self != 0) continue;
    for (int n = 0; n < INSTANCES; n++) hits += running->seen(&all[n]) != 0;
    total += INSTANCES;
    memset(all, 0, INSTANCES * sizeof *all);
    if (seconds() > end) finished = 1;
  }
}

int main(int argc, char **argv) {
  int failed = 0;
  limit = argc > 1 ? atof(argv[1]) : 1;
  cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
  all = aligned_alloc(4096, INSTANCES * sizeof *all);
  memset(all, 0, INSTANCES * sizeof *all);
  for (running = tests; running < tests + sizeof tests / sizeof *tests; running++) {
    pthread_t ids[4];
    finished = 0, total = 0, hits = 0;
    for (long n = 0; n < running->threads; n++)
      if (pthread_create(&ids[n], NULL, body, (void *)n)) return 2;
    for (int n = 0; n < running->threads; n++) pthread_join(ids[n], NULL);
    printf("%s: %llu of %llu %s\n", running->name, (unsigned long long)hits, (unsigned long long)total,
           running->allowed ? "allowed" : "forbidden");
    fflush(stdout);
    if (hits && !running->allowed) failed = 1;
  }
  printf(failed ? "litmus failed\n" : "litmus passed\n");
  return failed;
}
