/* Programs of the benchmark: each takes a size, does work in proportion to it, and returns a checksum of its result. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pseudo-random numbers, the same on every machine. */
static inline uint32_t next_random(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

static inline uint64_t mixed(uint64_t sum, uint64_t value) {
  return (sum ^ value) * 0x100000001b3ull;
}

/* Ends the program with what the C library says of the last error. */
_Noreturn void fail(const char *what);

/* Path of this program, for the one that runs it again. */
extern const char *self;

uint64_t integer_mix(unsigned size);
uint64_t sieve(unsigned size);
uint64_t sha256(unsigned size);
uint64_t bytecode(unsigned size);
uint64_t indirect_calls(unsigned size);
uint64_t quicksort(unsigned size);
uint64_t matrix_product(unsigned size);
uint64_t n_body(unsigned size);
uint64_t copy_memory(unsigned size);
uint64_t set_memory(unsigned size);
uint64_t get_pid(unsigned size);
uint64_t fork_wait(unsigned size);
uint64_t fork_exec(unsigned size);
uint64_t pipe_ping_pong(unsigned size);
uint64_t map_touch(unsigned size);
uint64_t two_processes(unsigned size);
uint64_t four_processes(unsigned size);

#endif
