/*
 * How the program keeps several accesses in flight: by the kernel's io_uring, with the file and the memory registered once, or by its
 * older asynchronous I/O. An access is known by its slot, 0 to depth - 1, and uses the slot's part of the memory.
 */
#include <stddef.h>
#include <stdint.h>

enum { DEPTH_MAX = 256 };

struct accesses {
  int file;
  int writes;
  /* Bytes of one access, and how many there can be at a time; `memory` has room for all of them. */
  size_t bytes;
  unsigned depth;
  char *memory;
};

struct queue {
  void (*open)(const struct accesses *);
  /* Adds an access to those that `run` hands over. */
  void (*add)(unsigned slot, uint64_t offset);
  /* Hands over what was added, waits until at least so many of all are done, and writes their slots; how many there are. */
  unsigned (*run)(unsigned wanted, unsigned *done);
};

extern const struct queue io_uring, aio;

void fail(const char *what);
