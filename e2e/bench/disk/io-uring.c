/* The queue by io_uring(7), on a submission and a completion ring of its own. */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "queue.h"

static const struct accesses *accesses;
static int ring;
static unsigned *sqTail, sqMask, *cqHead, *cqTail, cqMask, added;
static struct io_uring_sqe *sqes;
static struct io_uring_cqe *cqes;

static void *mapped(size_t bytes, off_t what) {
  void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, what);
  if (at == MAP_FAILED) fail("mmap of a ring");
  return at;
}

static void registered(unsigned what, const void *first, unsigned count) {
  if (syscall(SYS_io_uring_register, ring, what, first, count) != 0) fail("io_uring_register");
}

static void openQueue(const struct accesses *each) {
  // One thread uses it, which completes nothing but where it waits.
  struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
  accesses = each;
  ring = (int)syscall(SYS_io_uring_setup, each->depth, &params);
  if (ring < 0) fail("io_uring_setup");
  char *sq = mapped(params.sq_off.array + params.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
  char *cq = mapped(params.cq_off.cqes + params.cq_entries * sizeof *cqes, IORING_OFF_CQ_RING);
  sqes = mapped(params.sq_entries * sizeof *sqes, IORING_OFF_SQES);
  sqTail = (unsigned *)(sq + params.sq_off.tail);
  sqMask = *(unsigned *)(sq + params.sq_off.ring_mask);
  cqHead = (unsigned *)(cq + params.cq_off.head);
  cqTail = (unsigned *)(cq + params.cq_off.tail);
  cqMask = *(unsigned *)(cq + params.cq_off.ring_mask);
  cqes = (struct io_uring_cqe *)(cq + params.cq_off.cqes);
  // Entry n of the ring is always submission n.
  unsigned *array = (unsigned *)(sq + params.sq_off.array);
  for (unsigned n = 0; n < params.sq_entries; n++) array[n] = n;
  struct iovec memory = {each->memory, each->bytes * each->depth};
  registered(IORING_REGISTER_BUFFERS, &memory, 1);
  registered(IORING_REGISTER_FILES, &each->file, 1);
}

static void add(unsigned slot, uint64_t offset) {
  struct io_uring_sqe *entry = &sqes[(*sqTail + added++) & sqMask];
  memset(entry, 0, sizeof *entry);
  entry->opcode = accesses->writes ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED;
  entry->flags = IOSQE_FIXED_FILE;
  entry->addr = (uintptr_t)(accesses->memory + slot * accesses->bytes);
  entry->len = (uint32_t)accesses->bytes;
  entry->off = offset;
  entry->user_data = slot;
}

static unsigned run(unsigned wanted, unsigned *done) {
  __atomic_store_n(sqTail, *sqTail + added, __ATOMIC_RELEASE);
  if (syscall(SYS_io_uring_enter, ring, added, wanted, IORING_ENTER_GETEVENTS, NULL, 0) != (long)added) fail("io_uring_enter");
  added = 0;
  unsigned head = *cqHead, tail = __atomic_load_n(cqTail, __ATOMIC_ACQUIRE), count = 0;
  for (; head != tail; head++) {
    const struct io_uring_cqe *entry = &cqes[head & cqMask];
    if ((size_t)entry->res != accesses->bytes) fail("transfer");
    done[count++] = (unsigned)entry->user_data;
  }
  __atomic_store_n(cqHead, head, __ATOMIC_RELEASE);
  return count;
}

const struct queue io_uring = {openQueue, add, run};
