/*
 * The I/O program of `npm run bench -- --disks`: disk DEVICE read|write seq|rnd BYTES DEPTH COUNT MILLISECONDS SPAN [buffered] [flush]
 * carries out at least COUNT accesses of BYTES each, for at least so many milliseconds, within the first SPAN bytes of the device,
 * past the page cache or through it (buffered), DEPTH of them at a time (1 = one after the other by pread and pwrite, more = by the
 * kernel's asynchronous I/O), and prints how many there were and how many nanoseconds that took. What it writes differs from block
 * to block, is no zeros and cannot be compressed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH_MAX = 256 };

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

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int has(char **words, const char *word) {
  for (; *words != NULL; words++)
    if (strcmp(*words, word) == 0) return 1;
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 9) return 2;
  int writes = strcmp(argv[2], "write") == 0, random = strcmp(argv[3], "rnd") == 0;
  size_t bytes = strtoul(argv[4], 0, 10);
  unsigned depth = (unsigned)strtoul(argv[5], 0, 10), least = (unsigned)strtoul(argv[6], 0, 10), count = 0;
  uint64_t duration = strtoull(argv[7], 0, 10) * 1000000u, blocks = strtoull(argv[8], 0, 10) / bytes;
  if (depth < 1 || depth > DEPTH_MAX || blocks == 0) return 2;
  int disk = open(argv[1], (writes ? O_RDWR : O_RDONLY) | (has(argv + 9, "buffered") ? 0 : O_DIRECT));
  if (disk < 0) fail(argv[1]);
  char *buffer;
  if (posix_memalign((void **)&buffer, 4096, bytes * depth) != 0) return 1;
  for (size_t n = 0; n < bytes * depth / 4; n++) ((uint32_t *)buffer)[n] = next() | 1;

  uint64_t began = now();
  if (depth == 1) {
    for (; count < least || now() - began < duration; count++) {
      off_t at = (off_t)((random ? next() : count) % blocks * bytes);
      *(uint32_t *)buffer = count | 1;
      ssize_t done = writes ? pwrite(disk, buffer, bytes, at) : pread(disk, buffer, bytes, at);
      if (done != (ssize_t)bytes) fail("transfer");
    }
  } else {
    aio_context_t context = 0;
    if (syscall(SYS_io_setup, depth, &context) != 0) fail("io_setup");
    static struct iocb blocksOf[DEPTH_MAX], *ready[DEPTH_MAX];
    static struct io_event events[DEPTH_MAX];
    unsigned readyCount = 0, started = 0;
    for (unsigned n = 0; n < depth; n++) ready[readyCount++] = &blocksOf[n];
    for (int more = 1; more || count < started; more = more && (started < least || now() - began < duration)) {
      unsigned submit = 0;
      for (; more && submit < readyCount; submit++, started++) {
        struct iocb *block = ready[submit];
        char *mine = buffer + (size_t)(block - blocksOf) * bytes;
        memset(block, 0, sizeof *block);
        block->aio_fildes = (uint32_t)disk;
        block->aio_lio_opcode = writes ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
        block->aio_buf = (uintptr_t)mine;
        block->aio_nbytes = bytes;
        block->aio_offset = (int64_t)((random ? next() : started) % blocks * bytes);
        *(uint32_t *)mine = started | 1;
      }
      if (submit > 0 && syscall(SYS_io_submit, context, (long)submit, ready) != (long)submit) fail("io_submit");
      readyCount = 0;
      // A quarter of the depth at a time, as programs do that keep a queue filled.
      long wanted = started - count < depth / 4 ? 1 : (long)(depth / 4);
      long got = syscall(SYS_io_getevents, context, wanted, (long)depth, events, NULL);
      if (got < 1) fail("io_getevents");
      for (long n = 0; n < got; n++) {
        if ((size_t)events[n].res != bytes) fail("transfer");
        ready[readyCount++] = (struct iocb *)(uintptr_t)events[n].obj;
      }
      count += (unsigned)got;
    }
  }
  if (has(argv + 9, "flush") && fsync(disk) != 0) fail("fsync");
  printf("accesses %u nanoseconds %llu\n", count, (unsigned long long)(now() - began));
  return 0;
}
