/* The queue by io_submit(2). */
#define _GNU_SOURCE
#include <linux/aio_abi.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "queue.h"

static const struct accesses *accesses;
static aio_context_t context;
static struct iocb blocks[DEPTH_MAX], *added[DEPTH_MAX];
static unsigned addedCount;

static void openQueue(const struct accesses *each) {
  accesses = each;
  if (syscall(SYS_io_setup, each->depth, &context) != 0) fail("io_setup");
}

static void add(unsigned slot, uint64_t offset) {
  struct iocb *block = &blocks[slot];
  memset(block, 0, sizeof *block);
  block->aio_fildes = (uint32_t)accesses->file;
  block->aio_lio_opcode = accesses->writes ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
  block->aio_buf = (uintptr_t)(accesses->memory + slot * accesses->bytes);
  block->aio_nbytes = accesses->bytes;
  block->aio_offset = (int64_t)offset;
  added[addedCount++] = block;
}

static unsigned run(unsigned wanted, unsigned *done) {
  static struct io_event events[DEPTH_MAX];
  long count = (long)addedCount;
  if (count > 0 && syscall(SYS_io_submit, context, count, added) != count) fail("io_submit");
  addedCount = 0;
  long got = syscall(SYS_io_getevents, context, (long)wanted, (long)accesses->depth, events, NULL);
  if (got < 0) fail("io_getevents");
  for (long n = 0; n < got; n++) {
    if ((size_t)events[n].res != accesses->bytes) fail("transfer");
    done[n] = (unsigned)((struct iocb *)(uintptr_t)events[n].obj - blocks);
  }
  return (unsigned)got;
}

const struct queue aio = {openQueue, add, run};
