/*
 * Calls of functions through tables, as object-oriented programs make them: shapes of several kinds in no order, two methods each,
 * one of which calls on through another table. Size: rounds over the shapes.
 */
#include "bench.h"

typedef struct shape shape;

typedef struct {
  uint32_t (*area)(const shape *);
  uint32_t (*scaled)(const shape *, uint32_t);
} kind;

struct shape {
  const kind *kind;
  uint32_t width, height;
};

static uint32_t square_area(const shape *s) {
  return s->width * s->width;
}

static uint32_t box_area(const shape *s) {
  return s->width * s->height;
}

static uint32_t triangle_area(const shape *s) {
  return s->width * s->height / 2;
}

static uint32_t frame_area(const shape *s) {
  return s->width * s->height - (s->width - 1) * (s->height - 1);
}

static uint32_t plainly_scaled(const shape *s, uint32_t by) {
  return s->kind->area(s) * by;
}

static uint32_t twice_scaled(const shape *s, uint32_t by) {
  return s->kind->area(s) * by * by;
}

static const kind KINDS[] = {
    {square_area, plainly_scaled}, {box_area, twice_scaled},    {triangle_area, plainly_scaled},
    {frame_area, twice_scaled},    {box_area, plainly_scaled}, {square_area, twice_scaled},
};

uint64_t indirect_calls(unsigned size) {
  static shape shapes[1000];
  uint32_t seed = 3;
  for (size_t n = 0; n < 1000; n++)
    shapes[n] = (shape){&KINDS[next_random(&seed) % 6], next_random(&seed) % 100 + 1, next_random(&seed) % 100 + 1};
  uint32_t sum = 0;
  for (unsigned round = 0; round < size; round++)
    for (size_t n = 0; n < 1000; n++) sum = sum * 5 + shapes[n].kind->scaled(&shapes[n], round & 15);
  return sum;
}
