/* The primes below 256 Ki by striking out multiples: strided byte stores. Size: rounds. */
#include "bench.h"

uint64_t sieve(unsigned size) {
  static uint8_t composite[1 << 18];
  uint64_t sum = 0;
  for (unsigned round = 0; round < size; round++) {
    memset(composite, 0, sizeof composite);
    uint32_t found = 0;
    for (uint32_t n = 2; n < sizeof composite; n++) {
      if (composite[n]) continue;
      found += n ^ round;
      for (uint32_t multiple = n * 2; multiple < sizeof composite; multiple += n) composite[multiple] = 1;
    }
    sum = mixed(sum, found);
  }
  return sum;
}
