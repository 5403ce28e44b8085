/*
 * The integer loops of `npm run bench`: loops NAME ROUNDS runs one of them and prints a checksum, which is the same on every machine.
 * Each is of another kind: strided byte stores, table look-ups, compares and swaps, multiplications, byte searches, calls.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t seed;

static uint32_t next(void) {
  seed = seed * 1664525u + 1013904223u;
  return seed >> 8;
}

static uint64_t sieve(unsigned rounds) {
  static uint8_t composite[1 << 16];
  uint64_t found = 0;
  for (unsigned round = 0; round < rounds; round++) {
    memset(composite, 0, sizeof composite);
    for (uint32_t n = 2; n < sizeof composite; n++) {
      if (composite[n]) continue;
      found += n ^ round;
      for (uint32_t multiple = n * 2; multiple < sizeof composite; multiple += n) composite[multiple] = 1;
    }
  }
  return found;
}

static uint64_t crc(unsigned rounds) {
  static uint32_t table[256];
  static uint8_t data[1 << 15];
  for (uint32_t n = 0; n < 256; n++) {
    uint32_t value = n;
    for (int bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320u ^ value >> 1 : value >> 1;
    table[n] = value;
  }
  for (size_t n = 0; n < sizeof data; n++) data[n] = (uint8_t)next();
  uint32_t sum = ~0u;
  for (unsigned round = 0; round < rounds; round++)
    for (size_t n = 0; n < sizeof data; n++) sum = table[(sum ^ data[n]) & 255] ^ sum >> 8;
  return sum;
}

static void quicksort(int32_t *low, int32_t *high) {
  while (high - low > 12) {
    int32_t pivot = low[(high - low) / 2], *left = low, *right = high;
    while (left <= right) {
      while (*left < pivot) left++;
      while (*right > pivot) right--;
      if (left <= right) {
        int32_t other = *left;
        *left++ = *right;
        *right-- = other;
      }
    }
    quicksort(low, right);
    low = left;
  }
  for (int32_t *at = low + 1; at <= high; at++) {
    int32_t value = *at, *hole = at;
    for (; hole > low && hole[-1] > value; hole--) *hole = hole[-1];
    *hole = value;
  }
}

static uint64_t sort(unsigned rounds) {
  static int32_t numbers[8192];
  uint64_t sum = 0;
  for (unsigned round = 0; round < rounds; round++) {
    for (int n = 0; n < 8192; n++) numbers[n] = (int32_t)next();
    quicksort(numbers, numbers + 8191);
    for (int n = 0; n < 8192; n += 97) sum = sum * 31 + (uint32_t)numbers[n];
  }
  return sum;
}

static uint64_t matrix(unsigned rounds) {
  static int32_t a[64][64], b[64][64], c[64][64];
  for (int i = 0; i < 64; i++)
    for (int j = 0; j < 64; j++) a[i][j] = (int32_t)next() % 1000, b[i][j] = (int32_t)next() % 1000;
  uint64_t sum = 0;
  for (unsigned round = 0; round < rounds; round++) {
    for (int i = 0; i < 64; i++)
      for (int j = 0; j < 64; j++) {
        int32_t cell = 0;
        for (int k = 0; k < 64; k++) cell += a[i][k] * b[k][j];
        c[i][j] = cell;
      }
    a[round & 63][round >> 6 & 63] ^= c[1][2];
    sum += (uint32_t)c[round & 63][63];
  }
  return sum;
}

static uint64_t search(unsigned rounds) {
  static char text[1 << 15];
  for (size_t n = 0; n < sizeof text; n++) text[n] = (char)('a' + next() % 4);
  uint64_t found = 0;
  for (unsigned round = 0; round < rounds; round++) {
    char word[5];
    for (int n = 0; n < 5; n++) word[n] = (char)('a' + next() % 4);
    for (size_t at = 0; at + 5 <= sizeof text; at++) {
      size_t n = 0;
      while (n < 5 && text[at + n] == word[n]) n++;
      if (n == 5) found = found * 7 + at;
    }
  }
  return found;
}

static uint64_t mix(unsigned rounds) {
  uint64_t x = 88172645463325252ull, sum = 0;
  for (unsigned round = 0; round < rounds; round++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    sum += (x * 0x9e3779b97f4a7c15ull) >> 32;
    if (x & 4) sum ^= x % 1021;
  }
  return sum;
}

static uint64_t __attribute__((noinline)) calls(unsigned depth) {
  return depth < 2 ? depth : calls(depth - 1) + calls(depth - 2);
}

static const struct {
  const char *name;
  uint64_t (*run)(unsigned);
} LOOPS[] = {{"sieve", sieve}, {"crc", crc}, {"sort", sort}, {"matrix", matrix}, {"search", search}, {"mix", mix}, {"calls", calls}};

int main(int count, char **words) {
  seed = 42;
  for (size_t n = 0; count == 3 && n < sizeof LOOPS / sizeof *LOOPS; n++)
    if (strcmp(words[1], LOOPS[n].name) == 0) {
      printf("%s %016llx\n", words[1], (unsigned long long)LOOPS[n].run((unsigned)strtoul(words[2], NULL, 10)));
      return 0;
    }
  fprintf(stderr, "usage: loops sieve|crc|sort|matrix|search|mix|calls ROUNDS\n");
  return 2;
}
