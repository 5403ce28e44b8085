/*
 * Integer work of several kinds in turns, in the manner of CoreMark: a linked list searched, reversed and sorted; a matrix of
 * 16-bit numbers; a state machine that reads numbers in a text; a CRC over what came out. Size: rounds.
 */
#include "bench.h"

enum { ITEMS = 300, ORDER = 24, TEXT = 700 };

typedef struct item {
  struct item *next;
  int16_t key, value;
} item;

static uint16_t crc16(uint16_t crc, uint32_t data) {
  for (int bit = 0; bit < 32; bit++) {
    uint16_t differs = (uint16_t)((data ^ crc) & 1);
    crc = (uint16_t)(crc >> 1);
    if (differs) crc ^= 0xa001;
    data >>= 1;
  }
  return crc;
}

static item *sorted(item *list, int by_value) {
  for (unsigned run = 1;; run *= 2) {
    item *rest = list, *head = NULL, **tail = &head;
    unsigned merges = 0;
    while (rest != NULL) {
      item *left = rest, *right = rest;
      unsigned lefts = 0, rights = run;
      while (lefts < run && right != NULL) lefts++, right = right->next;
      merges++;
      while (lefts > 0 || (rights > 0 && right != NULL)) {
        int take_left = lefts > 0;
        if (take_left && rights > 0 && right != NULL)
          take_left = by_value ? left->value <= right->value : left->key <= right->key;
        item *taken = take_left ? left : right;
        if (take_left) left = left->next, lefts--;
        else right = right->next, rights--;
        *tail = taken;
        tail = &taken->next;
      }
      rest = right;
    }
    *tail = NULL;
    list = head;
    if (merges <= 1) return list;
  }
}

static uint16_t list_work(item *items, uint16_t crc, uint32_t *seed) {
  for (int n = 0; n < ITEMS; n++) {
    items[n].next = n + 1 < ITEMS ? &items[n + 1] : NULL;
    items[n].key = (int16_t)(next_random(seed) & 0x7fff);
    items[n].value = (int16_t)(n * 37 % ITEMS);
  }
  item *list = items;
  for (int search = 0; search < 20; search++) {
    int16_t wanted = (int16_t)(next_random(seed) % ITEMS);
    item *found = list;
    while (found != NULL && found->value != wanted) found = found->next;
    if (found != NULL) crc = crc16(crc, (uint16_t)found->key);
    item *reversed = NULL;
    while (list != NULL) {
      item *next = list->next;
      list->next = reversed;
      reversed = list;
      list = next;
    }
    list = reversed;
  }
  list = sorted(list, 0);
  for (item *at = list; at != NULL; at = at->next) crc = (uint16_t)(crc * 31 + at->key);
  list = sorted(list, 1);
  return crc16(crc, (uint16_t)list->next->key);
}

static uint16_t matrix_work(uint16_t crc, uint32_t *seed) {
  static int16_t a[ORDER][ORDER], b[ORDER][ORDER];
  static int32_t c[ORDER][ORDER];
  for (int row = 0; row < ORDER; row++)
    for (int column = 0; column < ORDER; column++) {
      a[row][column] = (int16_t)(next_random(seed) & 0xff);
      b[row][column] = (int16_t)(next_random(seed) & 0xff);
    }
  for (int row = 0; row < ORDER; row++)
    for (int column = 0; column < ORDER; column++) {
      int32_t sum = 0;
      for (int n = 0; n < ORDER; n++) {
        int32_t product = a[row][n] * b[n][column];
        sum += ((product >> 2) & 0xf) * ((product >> 5) & 0x7f);
      }
      c[row][column] = sum;
    }
  int32_t last = 0, found = 0;
  for (int row = 0; row < ORDER; row++)
    for (int column = 0; column < ORDER; column++) {
      int32_t value = c[row][column];
      found += value > last ? 10 : 1;
      last = value;
    }
  return crc16(crc, (uint32_t)found);
}

enum { START, INVALID, SIGN, INTEGER, FRACTION, EXPONENT_SIGN, EXPONENT, STATES };

static int next_state(int state, char letter) {
  int digit = letter >= '0' && letter <= '9';
  if (letter == ',') return START;
  switch (state) {
    case START:
      return digit ? INTEGER : letter == '+' || letter == '-' ? SIGN : letter == '.' ? FRACTION : INVALID;
    case SIGN:
      return digit ? INTEGER : letter == '.' ? FRACTION : INVALID;
    case INTEGER:
      return digit ? INTEGER : letter == '.' ? FRACTION : letter == 'e' ? EXPONENT_SIGN : INVALID;
    case FRACTION:
      return digit ? FRACTION : letter == 'e' ? EXPONENT_SIGN : INVALID;
    case EXPONENT_SIGN:
      return digit || letter == '+' || letter == '-' ? EXPONENT : INVALID;
    case EXPONENT:
      return digit ? EXPONENT : INVALID;
    default:
      return INVALID;
  }
}

static uint16_t text_work(uint16_t crc, uint32_t *seed) {
  static const char *const WORDS[] = {"5012", "+140", "-7.25", "3.5e9", ".5e-12", "T0.3", "1e+x", "8736"};
  char text[TEXT];
  size_t length = 0;
  while (length + 8 < TEXT) {
    const char *word = WORDS[next_random(seed) & 7];
    size_t bytes = strlen(word);
    memcpy(text + length, word, bytes);
    text[length + bytes] = ',';
    length += bytes + 1;
  }
  uint32_t visits[STATES] = {0};
  int state = START;
  for (size_t n = 0; n < length; n++) visits[state = next_state(state, text[n])]++;
  for (int n = 0; n < STATES; n++) crc = crc16(crc, visits[n]);
  return crc;
}

uint64_t integer_mix(unsigned size) {
  static item items[ITEMS];
  uint32_t seed = 7;
  uint64_t sum = 0;
  for (unsigned round = 0; round < size; round++) {
    uint16_t crc = list_work(items, (uint16_t)round, &seed);
    crc = matrix_work(crc, &seed);
    crc = text_work(crc, &seed);
    sum = mixed(sum, crc);
  }
  return sum;
}
