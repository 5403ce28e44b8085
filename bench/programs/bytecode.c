/*
 * An interpreter of bytecode for a small stack machine, as those of languages are built: a loop around a switch. What it runs
 * adds up the steps of the Collatz sequences of the numbers below a limit. Size: that limit.
 */
#include "bench.h"

enum { PUSH, LOAD, STORE, ADD, MULTIPLY, SHIFT, AND, LESS, JUMP, JUMP_IF_ZERO, CALL, RETURN, HALT };
enum { NUMBER, VALUE, STEPS, LIMIT };

typedef struct {
  uint8_t operation;
  uint8_t operand;
} instruction;

/* Jumps name the index of their target. */
static const instruction CODE[] = {
    /*  0 */ {PUSH, 1}, {STORE, NUMBER},
    /*  2: while number < limit */ {LOAD, NUMBER}, {LOAD, LIMIT}, {LESS, 0}, {JUMP_IF_ZERO, 14},
    /*  6 */ {LOAD, NUMBER}, {STORE, VALUE}, {CALL, 15},
    /*  9 */ {LOAD, NUMBER}, {PUSH, 1}, {ADD, 0}, {STORE, NUMBER}, {JUMP, 2},
    /* 14 */ {HALT, 0},
    /* 15: while 1 < value */ {PUSH, 1}, {LOAD, VALUE}, {LESS, 0}, {JUMP_IF_ZERO, 39},
    /* 19 */ {LOAD, STEPS}, {PUSH, 1}, {ADD, 0}, {STORE, STEPS},
    /* 23 */ {LOAD, VALUE}, {PUSH, 1}, {AND, 0}, {JUMP_IF_ZERO, 34},
    /* 27 */ {LOAD, VALUE}, {PUSH, 3}, {MULTIPLY, 0}, {PUSH, 1}, {ADD, 0}, {STORE, VALUE}, {JUMP, 15},
    /* 34 */ {LOAD, VALUE}, {PUSH, 1}, {SHIFT, 0}, {STORE, VALUE}, {JUMP, 15},
    /* 39 */ {RETURN, 0},
};

uint64_t bytecode(unsigned size) {
  uint32_t stack[16], *top = stack, locals[4] = {[LIMIT] = size};
  unsigned return_to = 0, at = 0;
  for (;;) {
    instruction now = CODE[at++];
    switch (now.operation) {
      case PUSH:
        *top++ = now.operand;
        break;
      case LOAD:
        *top++ = locals[now.operand];
        break;
      case STORE:
        locals[now.operand] = *--top;
        break;
      case ADD:
        top--, top[-1] += top[0];
        break;
      case MULTIPLY:
        top--, top[-1] *= top[0];
        break;
      case SHIFT:
        top--, top[-1] >>= top[0];
        break;
      case AND:
        top--, top[-1] &= top[0];
        break;
      case LESS:
        top--, top[-1] = top[-1] < top[0];
        break;
      case JUMP:
        at = now.operand;
        break;
      case JUMP_IF_ZERO:
        if (*--top == 0) at = now.operand;
        break;
      case CALL:
        return_to = at;
        at = now.operand;
        break;
      case RETURN:
        at = return_to;
        break;
      case HALT:
        return locals[STEPS];
    }
  }
}
