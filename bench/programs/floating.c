/*
 * Work in double precision. matrix_product: matrices of 96 x 96 whose inner loop compilers make packed. Size: products.
 * n_body: bodies that attract each other, step by step; scalar, with square roots and divisions. Size: steps.
 */
#include "bench.h"
#include <math.h>

static uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

uint64_t matrix_product(unsigned size) {
  enum { ORDER = 96 };
  static double a[ORDER][ORDER], b[ORDER][ORDER], c[ORDER][ORDER];
  uint32_t seed = 5;
  for (int row = 0; row < ORDER; row++)
    for (int column = 0; column < ORDER; column++) {
      a[row][column] = next_random(&seed) / 16777216.0;
      b[row][column] = next_random(&seed) / 16777216.0 - 0.5;
    }
  uint64_t sum = 0;
  for (unsigned round = 0; round < size; round++) {
    memset(c, 0, sizeof c);
    for (int row = 0; row < ORDER; row++)
      for (int n = 0; n < ORDER; n++) {
        double factor = a[row][n];
        for (int column = 0; column < ORDER; column++) c[row][column] += factor * b[n][column];
      }
    a[round % ORDER][round / ORDER % ORDER] = c[1][2] / 8;
    sum = mixed(sum, bits_of(c[round % ORDER][3]));
  }
  return sum;
}

typedef struct {
  double x, y, z, vx, vy, vz, mass;
} body;

uint64_t n_body(unsigned size) {
  enum { BODIES = 6 };
  static body bodies[BODIES];
  uint32_t seed = 9;
  for (int n = 0; n < BODIES; n++) {
    body *b = &bodies[n];
    double *const fields[] = {&b->x, &b->y, &b->z, &b->vx, &b->vy, &b->vz};
    for (int field = 0; field < 6; field++)
      *fields[field] = (next_random(&seed) / 16777216.0 - 0.5) * (field < 3 ? 40 : 1);
    b->mass = n == 0 ? 40 : 0.01 * (n + 1);
  }
  for (unsigned step = 0; step < size; step++) {
    for (int n = 0; n < BODIES; n++)
      for (int m = n + 1; m < BODIES; m++) {
        body *p = &bodies[n], *q = &bodies[m];
        double dx = p->x - q->x, dy = p->y - q->y, dz = p->z - q->z;
        double square = dx * dx + dy * dy + dz * dz + 0.01;
        double pull = 0.001 / (square * sqrt(square));
        p->vx -= dx * q->mass * pull, p->vy -= dy * q->mass * pull, p->vz -= dz * q->mass * pull;
        q->vx += dx * p->mass * pull, q->vy += dy * p->mass * pull, q->vz += dz * p->mass * pull;
      }
    for (int n = 0; n < BODIES; n++) {
      body *b = &bodies[n];
      b->x += 0.001 * b->vx, b->y += 0.001 * b->vy, b->z += 0.001 * b->vz;
    }
  }
  uint64_t sum = 0;
  for (int n = 0; n < BODIES; n++) sum = mixed(sum, bits_of(bodies[n].x) ^ bits_of(bodies[n].vy));
  return sum;
}
