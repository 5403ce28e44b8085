/*
 * bench NAME SIZE runs one program of the benchmark and prints one line: its name, the checksum of its result (the same on every
 * machine), and in microseconds its CPU time in user and in kernel mode, children included, and the time that passed.
 * bench list prints the names. bench run WORDS runs another program and prints such a line about it; the checksum is of its output.
 */
#include "bench.h"
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct {
  const char *name;
  uint64_t (*run)(unsigned);
} PROGRAMS[] = {
    {"mix", integer_mix},        {"sieve", sieve},          {"sha256", sha256},
    {"bytecode", bytecode},      {"calls", indirect_calls}, {"quicksort", quicksort},
    {"matrix", matrix_product},  {"nbody", n_body},         {"memcpy", copy_memory},
    {"memset", set_memory},      {"getpid", get_pid},       {"fork", fork_wait},
    {"exec", fork_exec},         {"pipe", pipe_ping_pong},  {"mmap", map_touch},
    {"parallel2", two_processes}, {"parallel4", four_processes},
};

const char *self;

_Noreturn void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t microseconds_now(void) {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) fail("clock_gettime");
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t microseconds_of(struct timeval own, struct timeval children) {
  return ((uint64_t)own.tv_sec + (uint64_t)children.tv_sec) * 1000000 + (uint64_t)own.tv_usec + (uint64_t)children.tv_usec;
}

static uint64_t another_program(char **words) {
  int output[2];
  if (pipe(output) != 0) fail("pipe");
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    if (dup2(output[1], 1) < 0) fail("dup2");
    close(output[0]);
    close(output[1]);
    execvp(words[0], words);
    fail(words[0]);
  }
  close(output[1]);
  static uint8_t bytes[1 << 16];
  uint64_t sum = 0;
  ssize_t length;
  while ((length = read(output[0], bytes, sizeof bytes)) > 0)
    for (ssize_t n = 0; n < length; n++) sum = mixed(sum, bytes[n]);
  int status;
  if (waitpid(child, &status, 0) != child) fail("waitpid");
  if (status != 0) {
    fprintf(stderr, "%s ended with status %d\n", words[0], status);
    exit(1);
  }
  return sum;
}

static void report(const char *name, uint64_t checksum, uint64_t elapsed) {
  struct rusage own, children;
  if (getrusage(RUSAGE_SELF, &own) != 0 || getrusage(RUSAGE_CHILDREN, &children) != 0) fail("getrusage");
  printf("%s %016llx user %llu system %llu elapsed %llu\n", name, (unsigned long long)checksum,
         (unsigned long long)microseconds_of(own.ru_utime, children.ru_utime),
         (unsigned long long)microseconds_of(own.ru_stime, children.ru_stime), (unsigned long long)elapsed);
}

int main(int count, char **words) {
  self = words[0];
  if (count == 2 && strcmp(words[1], "nothing") == 0) return 7;
  if (count == 2 && strcmp(words[1], "list") == 0) {
    for (size_t n = 0; n < sizeof PROGRAMS / sizeof *PROGRAMS; n++) puts(PROGRAMS[n].name);
    return 0;
  }
  if (count >= 3 && strcmp(words[1], "run") == 0) {
    uint64_t began = microseconds_now();
    uint64_t checksum = another_program(words + 2);
    report("run", checksum, microseconds_now() - began);
    return 0;
  }
  for (size_t n = 0; count == 3 && n < sizeof PROGRAMS / sizeof *PROGRAMS; n++) {
    if (strcmp(words[1], PROGRAMS[n].name) != 0) continue;
    uint64_t began = microseconds_now();
    uint64_t checksum = PROGRAMS[n].run((unsigned)strtoul(words[2], NULL, 10));
    report(words[1], checksum, microseconds_now() - began);
    return 0;
  }
  fprintf(stderr, "usage: bench NAME SIZE | bench list | bench run WORDS\n");
  return 2;
}
