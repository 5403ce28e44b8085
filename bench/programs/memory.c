/*
 * memcpy and memset of the C library, pieces of 64 bytes to 1 MiB at changing places; and pages mapped, touched and given back.
 * Size: MiB copied or set, or rounds of 16 MiB touched.
 */
#define _GNU_SOURCE
#include "bench.h"
#include <sys/mman.h>

enum { MIB = 1 << 20 };

static uint8_t from[MIB + 4096], to[MIB + 4096];

/* A length between 64 bytes and 1 MiB, and a place that is mostly not aligned. */
static size_t piece(uint32_t *seed, size_t *place) {
  *place = next_random(seed) & 4095;
  return (size_t)64 << (next_random(seed) % 15);
}

uint64_t copy_memory(unsigned size) {
  uint32_t seed = 13;
  for (size_t n = 0; n < sizeof from; n++) from[n] = (uint8_t)next_random(&seed);
  uint64_t bytes = 0, sum = 0;
  while (bytes < (uint64_t)size * MIB) {
    size_t at, target, length = piece(&seed, &at);
    piece(&seed, &target);
    memcpy(to + target, from + at, length);
    sum = mixed(sum, to[target] + to[target + length - 1]);
    bytes += length;
  }
  return sum;
}

uint64_t set_memory(unsigned size) {
  uint32_t seed = 17;
  uint64_t bytes = 0, sum = 0;
  while (bytes < (uint64_t)size * MIB) {
    size_t at, length = piece(&seed, &at);
    memset(to + at, (int)(bytes >> 6), length);
    sum = mixed(sum, to[at] + to[at + length / 2]);
    bytes += length;
  }
  return sum;
}

uint64_t map_touch(unsigned size) {
  enum { BYTES = 16 * MIB };
  uint64_t sum = 0;
  for (unsigned round = 0; round < size; round++) {
    uint8_t *pages = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) fail("mmap");
    /* One page at a time, not huge ones, on every machine. */
    madvise(pages, BYTES, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < BYTES; at += 4096) pages[at] = (uint8_t)(at >> 12);
    sum = mixed(sum, pages[(round % 4096) * 4096]);
    if (munmap(pages, BYTES) != 0) fail("munmap");
  }
  return sum;
}
