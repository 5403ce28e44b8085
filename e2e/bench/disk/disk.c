/*
 * The I/O program of `npm run bench -- --disks`: disk FILE read|write seq|rnd BYTES DEPTH COUNT MILLISECONDS SPAN [buffered] [flush] [aio]
 * carries out at least COUNT accesses of BYTES each, for at least so many milliseconds, within the first SPAN bytes of the device or
 * file, past the page cache or through it (buffered), DEPTH of them at a time (1 = one after the other by pread and pwrite, more = by
 * io_uring, or by io_submit if told so), and prints how many there were and how many nanoseconds that took. What it writes differs
 * from block to block, is no zeros and cannot be compressed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "queue.h"

static uint32_t seed = 7;

static uint32_t next(void) {
  seed = seed * 1664525u + 1013904223u;
  return seed >> 8;
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void fail(const char *what) {
  perror(what);
  exit(1);
}

static int has(char **words, const char *word) {
  for (; *words != NULL; words++)
    if (strcmp(*words, word) == 0) return 1;
  return 0;
}

/* What is to be done: `count` is how many accesses there have been. */
struct work {
  struct accesses accesses;
  int random;
  unsigned least, count;
  uint64_t duration, began, blocks;
};

static uint64_t offsetOf(const struct work *work, unsigned number) {
  return (work->random ? next() : number) % work->blocks * work->accesses.bytes;
}

static int goesOn(const struct work *work, unsigned started) {
  return started < work->least || now() - work->began < work->duration;
}

static void oneByOne(struct work *work) {
  const struct accesses *each = &work->accesses;
  for (; goesOn(work, work->count); work->count++) {
    off_t at = (off_t)offsetOf(work, work->count);
    *(uint32_t *)each->memory = work->count | 1;
    ssize_t done = each->writes ? pwrite(each->file, each->memory, each->bytes, at) : pread(each->file, each->memory, each->bytes, at);
    if (done != (ssize_t)each->bytes) fail("transfer");
  }
}

static void queued(struct work *work, const struct queue *queue) {
  const struct accesses *each = &work->accesses;
  unsigned free[DEPTH_MAX], freeCount = 0, started = 0;
  queue->open(each);
  for (unsigned slot = 0; slot < each->depth; slot++) free[freeCount++] = slot;
  for (int more = 1; more || work->count < started; more = more && goesOn(work, started)) {
    for (unsigned n = 0; more && n < freeCount; n++, started++) {
      *(uint32_t *)(each->memory + free[n] * each->bytes) = started | 1;
      queue->add(free[n], offsetOf(work, started));
    }
    // A quarter of the depth at a time, as programs do that keep a queue filled.
    unsigned quarter = each->depth < 4 ? 1 : each->depth / 4;
    freeCount = queue->run(started - work->count < quarter ? 1 : quarter, free);
    work->count += freeCount;
  }
}

int main(int argc, char **argv) {
  if (argc < 9) return 2;
  struct work work = {.random = strcmp(argv[3], "rnd") == 0};
  struct accesses *each = &work.accesses;
  each->writes = strcmp(argv[2], "write") == 0;
  each->bytes = strtoul(argv[4], 0, 10);
  each->depth = (unsigned)strtoul(argv[5], 0, 10);
  work.least = (unsigned)strtoul(argv[6], 0, 10);
  work.duration = strtoull(argv[7], 0, 10) * 1000000u;
  if (each->bytes == 0 || each->depth < 1 || each->depth > DEPTH_MAX) return 2;
  work.blocks = strtoull(argv[8], 0, 10) / each->bytes;
  if (work.blocks == 0) return 2;
  char **words = argv + 9;
  each->file = open(argv[1], (each->writes ? O_RDWR : O_RDONLY) | (has(words, "buffered") ? 0 : O_DIRECT));
  if (each->file < 0) fail(argv[1]);
  size_t bytes = each->bytes * each->depth;
  errno = posix_memalign((void **)&each->memory, 4096, bytes);
  if (errno != 0) fail("memory");
  for (size_t n = 0; n < bytes / 4; n++) ((uint32_t *)each->memory)[n] = next() | 1;

  work.began = now();
  if (each->depth == 1) oneByOne(&work);
  else queued(&work, has(words, "aio") ? &aio : &io_uring);
  if (has(words, "flush") && fsync(each->file) != 0) fail("fsync");
  printf("accesses %u nanoseconds %llu\n", work.count, (unsigned long long)(now() - work.began));
  return 0;
}
