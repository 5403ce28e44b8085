/*
 * The kernel's work: system calls that do nothing, processes made, programs started, bytes passed between two processes; and work
 * that two or four processes do at once. Size: calls, processes, or bytes there and back; for work in parallel, rounds of each process.
 */
#define _GNU_SOURCE
#include "bench.h"
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint32_t ended(pid_t child) {
  int status;
  if (child < 0) fail("fork");
  if (waitpid(child, &status, 0) != child) fail("waitpid");
  return (uint32_t)status;
}

uint64_t get_pid(unsigned size) {
  long first = syscall(SYS_getpid);
  uint64_t same = 0;
  for (unsigned call = 0; call < size; call++) same += syscall(SYS_getpid) == first;
  return same;
}

uint64_t fork_wait(unsigned size) {
  uint64_t sum = 0;
  for (unsigned n = 0; n < size; n++) {
    pid_t child = fork();
    if (child == 0) _exit((int)(n & 127));
    sum = mixed(sum, ended(child));
  }
  return sum;
}

uint64_t fork_exec(unsigned size) {
  uint64_t sum = 0;
  for (unsigned n = 0; n < size; n++) {
    pid_t child = fork();
    if (child == 0) {
      execl(self, self, "nothing", (char *)NULL);
      fail(self);
    }
    sum = mixed(sum, ended(child));
  }
  return sum;
}

static void exactly_one(ssize_t bytes, const char *what) {
  if (bytes != 1) fail(what);
}

uint64_t pipe_ping_pong(unsigned size) {
  int there[2], back[2];
  if (pipe(there) != 0 || pipe(back) != 0) fail("pipe");
  pid_t child = fork();
  uint8_t byte = 1;
  if (child == 0) {
    for (unsigned n = 0; n < size; n++) {
      exactly_one(read(there[0], &byte, 1), "read");
      byte = (uint8_t)(byte * 5 + 3);
      exactly_one(write(back[1], &byte, 1), "write");
    }
    _exit(0);
  }
  uint64_t sum = 0;
  for (unsigned n = 0; n < size; n++) {
    exactly_one(write(there[1], &byte, 1), "write");
    exactly_one(read(back[0], &byte, 1), "read");
    sum = mixed(sum, byte);
  }
  return mixed(sum, ended(child));
}

static uint64_t in_parallel(unsigned processes, unsigned size) {
  int results[2];
  if (pipe(results) != 0) fail("pipe");
  for (unsigned n = 0; n < processes; n++) {
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child > 0) continue;
    uint64_t sum = mixed(integer_mix(size), sieve(size / 8 + n));
    if (write(results[1], &sum, sizeof sum) != sizeof sum) fail("write");
    _exit(0);
  }
  uint64_t all = 0, sum;
  for (unsigned n = 0; n < processes; n++) {
    if (read(results[0], &sum, sizeof sum) != sizeof sum) fail("read");
    /* They end in any order. */
    all += sum;
  }
  while (wait(NULL) > 0) continue;
  return all;
}

uint64_t two_processes(unsigned size) {
  return in_parallel(2, size);
}

uint64_t four_processes(unsigned size) {
  return in_parallel(4, size);
}
