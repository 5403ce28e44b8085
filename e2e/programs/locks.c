/*
 * Locking stress: threads that share counters under every kind of lock and locked operation; each part ends with a sum that says
 * whether one was lost. `locks THREADS ROUNDS` prints "PART ok" or "PART wrong: ..." and ends with status 0 or 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096L
#define PAUSE() __asm__ volatile("pause" ::: "memory")

static int threads, rounds, failures;
static unsigned char *arena;

static void report(const char *part, uint64_t found, uint64_t wanted) {
  if (found == wanted) {
    printf("%s ok\n", part);
  } else {
    printf("%s wrong: %llu, not %llu\n", part, (unsigned long long)found, (unsigned long long)wanted);
    failures = 1;
  }
  fflush(stdout);
}

static void in_threads(void *(*body)(void *)) {
  pthread_t ids[64];
  for (long n = 0; n < threads; n++)
    if (pthread_create(&ids[n], NULL, body, (void *)n)) {
      printf("cannot start thread %ld\n", n);
      exit(2);
    }
  for (int n = 0; n < threads; n++) pthread_join(ids[n], NULL);
}

/* ---- locks ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile uint64_t counter;

static void *mutex_body(void *arg) {
  (void)arg;
  for (int n = 0; n < rounds; n++) {
    pthread_mutex_lock(&mutex);
    counter = counter + 1;
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static volatile uint32_t spin;

static void *spin_body(void *arg) {
  (void)arg;
  for (int n = 0; n < rounds; n++) {
    uint32_t taken = 1;
    for (;;) {
      __asm__ volatile("xchgl %0, %1" : "+r"(taken), "+m"(spin) : : "memory");
      if (!taken) break;
      while (spin) PAUSE();
      taken = 1;
    }
    counter = counter + 1;
    __asm__ volatile("" ::: "memory");
    spin = 0;
  }
  return NULL;
}

static volatile uint32_t next_ticket, serving;

static void *ticket_body(void *arg) {
  (void)arg;
  for (int n = 0; n < rounds / 8; n++) {
    uint32_t mine = 1;
    __asm__ volatile("lock xaddl %0, %1" : "+r"(mine), "+m"(next_ticket) : : "memory");
    while (serving != mine) PAUSE();
    counter = counter + 1;
    __asm__ volatile("" ::: "memory");
    serving = mine + 1;
  }
  return NULL;
}

/* ---- locked operations on operands that lie badly ---- */

static unsigned char *operand;

static void *add_body(void *arg) {
  (void)arg;
  for (int n = 0; n < rounds; n++) __asm__ volatile("lock addl $1, (%0)" : : "r"(operand) : "memory", "cc");
  return NULL;
}

static void *xadd_body(void *arg) {
  (void)arg;
  for (int n = 0; n < rounds; n++) {
    uint64_t one = 1;
    __asm__ volatile("lock xaddq %0, (%1)" : "+r"(one) : "r"(operand) : "memory", "cc");
  }
  return NULL;
}

static void *cmpxchg_body(void *arg) {
  (void)arg;
  for (int n = 0; n < rounds; n++) {
    uint64_t seen;
    memcpy(&seen, operand, 8);
    for (;;) {
      uint64_t old = seen, wanted = seen + 1;
      __asm__ volatile("lock cmpxchgq %2, (%1)" : "+a"(seen) : "r"(operand), "r"(wanted) : "memory", "cc");
      if (seen == old) break;
    }
  }
  return NULL;
}

static void *cmpxchg8b_body(void *arg) {
  (void)arg;
  for (int n = 0; n < rounds; n++) {
    uint32_t low, high;
    memcpy(&low, operand, 4);
    memcpy(&high, operand + 4, 4);
    for (;;) {
      uint64_t wanted = (((uint64_t)high << 32) | low) + 1;
      unsigned char equal;
      __asm__ volatile("lock cmpxchg8b (%3)\n\tsete %0"
                       : "=q"(equal), "+a"(low), "+d"(high)
                       : "r"(operand), "b"((uint32_t)wanted), "c"((uint32_t)(wanted >> 32))
                       : "memory", "cc");
      if (equal) break;
    }
  }
  return NULL;
}

static void *cmpxchg16b_body(void *arg) {
  (void)arg;
  for (int n = 0; n < rounds; n++) {
    uint64_t low, high;
    memcpy(&low, operand, 8);
    memcpy(&high, operand + 8, 8);
    for (;;) {
      unsigned char equal;
      __asm__ volatile("lock cmpxchg16b (%3)\n\tsete %0"
                       : "=q"(equal), "+a"(low), "+d"(high)
                       : "r"(operand), "b"(low + 1), "c"(high + 3)
                       : "memory", "cc");
      if (equal) break;
    }
  }
  return NULL;
}

static uint64_t value_of(int bytes) {
  uint64_t value = 0;
  memcpy(&value, operand, bytes);
  return value;
}

static void operands(void) {
  static const struct {
    const char *name;
    long offset;
  } places[] = {
      {"aligned", 64}, {"inside a word", 65}, {"across two words", 68 + 1}, {"across two lines", 128 - 3}, {"across two pages", PAGE - 3}};
  static const struct {
    const char *name;
    void *(*body)(void *);
    int bytes;
  } operations[] = {{"lock add", add_body, 4}, {"lock xadd", xadd_body, 8}, {"lock cmpxchg", cmpxchg_body, 8}, {"lock cmpxchg8b", cmpxchg8b_body, 8}};
  char name[64];
  int all = rounds;
  for (unsigned p = 0; p < sizeof places / sizeof *places; p++)
    for (unsigned o = 0; o < sizeof operations / sizeof *operations; o++) {
      rounds = p < 2 ? all : all / 16;
      operand = arena + places[p].offset;
      memset(arena, 0, 2 * PAGE);
      in_threads(operations[o].body);
      snprintf(name, sizeof name, "%s %s", operations[o].name, places[p].name);
      report(name, value_of(operations[o].bytes), (uint64_t)threads * rounds);
    }
  rounds = all / 4;
  operand = arena + 256;
  memset(arena, 0, 2 * PAGE);
  in_threads(cmpxchg16b_body);
  report("lock cmpxchg16b, low half", value_of(8), (uint64_t)threads * rounds);
  operand += 8;
  report("lock cmpxchg16b, high half", value_of(8), (uint64_t)threads * rounds * 3);
  rounds = all;
}

/* ---- sleeping ---- */

static volatile int turn;

static void *futex_body(void *arg) {
  int self = (int)(long)arg;
  for (int n = 0; n < rounds / 256; n++) {
    for (;;) {
      int now = __atomic_load_n(&turn, __ATOMIC_SEQ_CST);
      if (now % threads == self) break;
      syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
    }
    counter = counter + 1;
    __atomic_add_fetch(&turn, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0);
  }
  return NULL;
}

static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, not_full = PTHREAD_COND_INITIALIZER;
static uint64_t queue[16], queue_head, queue_tail, queue_sum, queue_left;

static void *condition_body(void *arg) {
  long self = (long)arg;
  int items = rounds / 32;
  if (self % 2 == 0 && self + 1 < threads) {
    for (int n = 0; n < items; n++) {
      pthread_mutex_lock(&mutex);
      while (queue_head - queue_tail == 16) pthread_cond_wait(&not_full, &mutex);
      queue[queue_head++ % 16] = (uint64_t)self * items + n;
      pthread_cond_signal(&not_empty);
      pthread_mutex_unlock(&mutex);
    }
  } else if (self % 2 == 1) {
    for (int n = 0; n < items; n++) {
      pthread_mutex_lock(&mutex);
      while (queue_head == queue_tail) pthread_cond_wait(&not_empty, &mutex);
      queue_sum += queue[queue_tail++ % 16];
      queue_left++;
      pthread_cond_signal(&not_full);
      pthread_mutex_unlock(&mutex);
    }
  }
  return NULL;
}

/* ---- remote flushes: a page is mapped elsewhere again and again, and nobody may see the old one afterwards ---- */

static volatile uint64_t generation, stale;
static volatile uint64_t *window, *both[2];
static int file;

static void *mapping_body(void *arg) {
  int turns = rounds / 64;
  if (arg == NULL) {
    for (uint64_t n = 1; n <= (uint64_t)turns; n++) {
      *both[n & 1] = n;
      if (mmap((void *)window, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, file, (n & 1) * PAGE) == MAP_FAILED) exit(2);
      __atomic_store_n(&generation, n, __ATOMIC_SEQ_CST);
    }
    __atomic_store_n(&generation, UINT64_MAX, __ATOMIC_SEQ_CST);
    return NULL;
  }
  for (;;) {
    uint64_t known = generation;
    if (known == UINT64_MAX) return NULL;
    if (*window < known) stale = 1;
  }
}

static void mappings(void) {
  file = memfd_create("pages", 0);
  if (file < 0 || ftruncate(file, 2 * PAGE)) exit(2);
  for (int n = 0; n < 2; n++) both[n] = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, n * PAGE);
  window = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
  in_threads(mapping_body);
  report("mappings", stale, 0);
}

int main(int argc, char **argv) {
  threads = argc > 1 ? atoi(argv[1]) : 4;
  rounds = argc > 2 ? atoi(argv[2]) : 20000;
  if (threads < 2 || threads > 64 || rounds < 256) return 2;
  arena = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  counter = 0, in_threads(mutex_body), report("mutex", counter, (uint64_t)threads * rounds);
  counter = 0, in_threads(spin_body), report("spinlock", counter, (uint64_t)threads * rounds);
  counter = 0, in_threads(ticket_body), report("ticket lock", counter, (uint64_t)threads * (rounds / 8));
  operands();
  counter = 0, in_threads(futex_body), report("futex", counter, (uint64_t)threads * (rounds / 256));
  in_threads(condition_body);
  report("condition variables, items", queue_left, (uint64_t)(threads / 2) * (rounds / 32));
  uint64_t sum = 0;
  for (uint64_t self = 0; self + 1 < (uint64_t)threads; self += 2)
    for (uint64_t n = 0; n < (uint64_t)(rounds / 32); n++) sum += self * (rounds / 32) + n;
  report("condition variables, sum", queue_sum, sum);
  mappings();
  printf(failures ? "locks failed\n" : "locks passed\n");
  return failures;
}
