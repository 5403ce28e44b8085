/* Quicksort of random numbers, insertion sort for short stretches: comparisons nobody can predict. Size: rounds of 64 Ki numbers. */
#include "bench.h"

static void sort(int32_t *low, int32_t *high) {
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
    sort(low, right);
    low = left;
  }
  for (int32_t *at = low + 1; at <= high; at++) {
    int32_t value = *at, *hole = at;
    for (; hole > low && hole[-1] > value; hole--) *hole = hole[-1];
    *hole = value;
  }
}

uint64_t quicksort(unsigned size) {
  enum { NUMBERS = 1 << 16 };
  static int32_t numbers[NUMBERS];
  uint32_t seed = 11;
  uint64_t sum = 0;
  for (unsigned round = 0; round < size; round++) {
    for (int n = 0; n < NUMBERS; n++) numbers[n] = (int32_t)(next_random(&seed) << 8);
    sort(numbers, numbers + NUMBERS - 1);
    for (int n = 0; n < NUMBERS; n += 97) sum = mixed(sum, (uint32_t)numbers[n]);
  }
  return sum;
}
