/*
 * Writes new functions into executable memory over and over and runs each often enough to be translated: churn SECONDS. A function
 * applies invertible operations in a loop, its partner the inverse ones, so the two together must give back what they were given; and a
 * short run must agree with the same operations computed here, which a function of an earlier round would not. Every other round the
 * memory is given back and new memory taken.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define FUNCTIONS 32
#define SLOT 2048
#define OPERATIONS_MAX 40
/* Instructions that a function executes in its long run, about. */
#define INSTRUCTIONS 600000

enum { ADD, SUBTRACT, XOR, ROTATE_LEFT, ROTATE_RIGHT, MULTIPLY, NOT, SWAP, KINDS };

struct operation {
  int kind;
  uint64_t value;
};

typedef uint64_t (*function)(uint64_t value, uint32_t rounds);

static uint64_t state = 88172645463325252ull;

static uint64_t any(void) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

static uint64_t inverse_of_odd(uint64_t value) {
  uint64_t inverse = value;
  for (int n = 0; n < 6; n++) inverse *= 2 - value * inverse;
  return inverse;
}

static struct operation any_operation(void) {
  struct operation chosen = {(int)(any() % KINDS), any()};
  if (chosen.kind == ADD || chosen.kind == SUBTRACT || chosen.kind == XOR) chosen.value = (uint64_t)(int64_t)(int32_t)chosen.value;
  if (chosen.kind == ROTATE_LEFT || chosen.kind == ROTATE_RIGHT) chosen.value = 1 + chosen.value % 63;
  if (chosen.kind == MULTIPLY) chosen.value |= 1;
  return chosen;
}

static struct operation inverse(struct operation of) {
  static const int kinds[KINDS] = {SUBTRACT, ADD, XOR, ROTATE_RIGHT, ROTATE_LEFT, MULTIPLY, NOT, SWAP};
  struct operation result = {kinds[of.kind], of.kind == MULTIPLY ? inverse_of_odd(of.value) : of.value};
  return result;
}

static uint64_t applied(struct operation o, uint64_t value) {
  switch (o.kind) {
    case ADD: return value + o.value;
    case SUBTRACT: return value - o.value;
    case XOR: return value ^ o.value;
    case ROTATE_LEFT: return value << o.value | value >> (64 - o.value);
    case ROTATE_RIGHT: return value >> o.value | value << (64 - o.value);
    case MULTIPLY: return value * o.value;
    case NOT: return ~value;
    default: return __builtin_bswap64(value);
  }
}

static uint8_t *put(uint8_t *at, const char *bytes, size_t count) {
  memcpy(at, bytes, count);
  return at + count;
}

static uint8_t *emit(uint8_t *at, struct operation o) {
  switch (o.kind) {
    case ADD: at = put(at, "\x48\x05", 2); return put(at, (char *)&o.value, 4);
    case SUBTRACT: at = put(at, "\x48\x2d", 2); return put(at, (char *)&o.value, 4);
    case XOR: at = put(at, "\x48\x35", 2); return put(at, (char *)&o.value, 4);
    case ROTATE_LEFT: at = put(at, "\x48\xc1\xc0", 3); return put(at, (char *)&o.value, 1);
    case ROTATE_RIGHT: at = put(at, "\x48\xc1\xc8", 3); return put(at, (char *)&o.value, 1);
    case MULTIPLY: /* mov rdx, value; imul rax, rdx */
      at = put(at, "\x48\xba", 2);
      at = put(at, (char *)&o.value, 8);
      return put(at, "\x48\x0f\xaf\xc2", 4);
    case NOT: return put(at, "\x48\xf7\xd0", 3);
    default: return put(at, "\x48\x0f\xc8", 3);
  }
}

/* mov rax, rdi; mov ecx, esi; the operations; dec ecx; jnz to the operations; ret */
static function write_function(uint8_t *at, const struct operation *operations, int count) {
  uint8_t *start = at, *loop = put(at, "\x48\x89\xf8\x89\xf1", 5);
  at = loop;
  for (int n = 0; n < count; n++) at = emit(at, operations[n]);
  at = put(at, "\xff\xc9\x0f\x85", 4);
  int32_t back = (int32_t)(loop - (at + 4));
  at = put(at, (char *)&back, 4);
  put(at, "\xc3", 1);
  return (function)(void *)start;
}

static int64_t seconds_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec;
}

int main(int count, char **words) {
  if (count != 2) return 2;
  int64_t began = seconds_now(), end = began + atoi(words[1]), told = began;
  uint64_t written = 0;
  uint8_t *memory = MAP_FAILED;
  state += (uint64_t)began + (uint64_t)(uintptr_t)&count;
  for (uint64_t round = 0; seconds_now() < end; round++) {
    if (round % 2 == 0) {
      if (memory != MAP_FAILED) munmap(memory, 2 * FUNCTIONS * SLOT);
      memory = mmap(NULL, 2 * FUNCTIONS * SLOT, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (memory == MAP_FAILED) return 3;
    }
    for (int n = 0; n < FUNCTIONS; n++) {
      struct operation operations[OPERATIONS_MAX], inverses[OPERATIONS_MAX];
      int length = 8 + (int)(any() % (OPERATIONS_MAX - 7));
      for (int k = 0; k < length; k++) {
        operations[k] = any_operation();
        inverses[length - 1 - k] = inverse(operations[k]);
      }
      uint8_t *slot = memory + 2 * n * SLOT + any() % 256;
      function there = write_function(slot, operations, length), back = write_function(slot + SLOT, inverses, length);
      uint32_t rounds = INSTRUCTIONS / (length + 2);
      uint64_t value = any(), expected = value;
      int right = back(there(value, rounds), rounds) == value;
      for (int turn = 0; turn < 3; turn++)
        for (int k = 0; k < length; k++) expected = applied(operations[k], expected);
      right = right && there(value, 3) == expected && back(expected, 3) == value;
      if (!right) {
        printf("churn: function %llu is wrong\n", (unsigned long long)written);
        return 1;
      }
      written += 2;
    }
    if (seconds_now() - told < 10) continue;
    told = seconds_now();
    printf("churn: %llu functions in %lld s\n", (unsigned long long)written, (long long)(told - began));
    fflush(stdout);
  }
  printf("churn passed: %llu functions\n", (unsigned long long)written);
  return 0;
}
