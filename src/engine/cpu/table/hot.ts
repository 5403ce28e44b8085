/**
 * The operations that `execute` (execute.ts) knows itself: one case each of its switch, as AssemblyScript. The build numbers them in
 * this order, dense from 0 (so that the switch becomes one br_table), and puts them into execute.ts at its mark.
 *
 * In a name, R is a register, M memory, I an immediate, destination first. A body may use what execute.ts has: `cpu`, `op`,
 * `status`, `target`. It goes on with the next operation unless it says `break` with `status` (and `target`) set. It calls nothing:
 * what it cannot do at once it leaves, before it has changed anything, to the handler of the operation's row.
 */
export interface HotCase {
  readonly name: string;
  readonly body: string;
  /** The body never goes on with the next operation by itself. */
  readonly leaves?: true;
}

const REG = 'cpu + load<u8>(op, OP_REG)';
const RM = 'cpu + load<u8>(op, OP_RM)';
const I64 = 'load<u64>(op, OP_IMMEDIATE)';
const I32 = 'load<u32>(op, OP_IMMEDIATE)';
const ADDRESS = 'effectiveAddress(cpu, op)';
const WIDTHS = [64, 32, 16, 8] as const;
type Width = (typeof WIDTHS)[number];

/** Leaves the operation to its row's handler. */
const BY_ROW = 'return stop(cpu, op, start, remaining, STOP_ROW);';
/** `const p`: pointer to so many bytes at an address of which the TLB knows that they may be accessed. */
const accessible = (address: string, bytes: number, tag: 'TLB_READ' | 'TLB_WRITE'): string =>
  `const va = ${address}; const entry = tlbEntry(cpu, va);
  if (!serves(load<u64>(entry, ${tag}), va, ${bytes})) ${BY_ROW}
  const p = <usize>load<u32>(entry, TLB_ADDEND) + <usize>va; `;
/** `const p`: pointer to the memory operand. */
const readMemory = (width: Width): string => accessible(ADDRESS, width / 8, 'TLB_READ');
const writeMemory = (width: Width): string => accessible(ADDRESS, width / 8, 'TLB_WRITE');

const straight = (name: string, body: string): HotCase => ({ name, body });
const load = (name: string, width: Width, body: string): HotCase => ({ name, body: readMemory(width) + body });
const store = (name: string, width: Width, value: string): HotCase => ({
  name,
  body: `${writeMemory(width)}store<u${width}>(p, <u${width}>${value});`,
});
const leaving = (name: string, body: string): HotCase => ({ name, body, leaves: true });

/** Numbers that have their code in execute.ts itself. */
export const builtinCases = [
  'LOOKUP_AGAIN',
  'END',
  'TOO_LONG',
  'EFFECTIVE_ADDRESS',
  'EFFECTIVE_ADDRESS_32',
  'NOP',
  'REGION',
] as const;

const moves: HotCase[] = [
  straight('MOV_R64_R64', 'setRm(cpu, op, reg64(cpu, op));'),
  straight('MOV_R32_R32', 'setRm(cpu, op, <u64>reg32(cpu, op));'),
  straight('MOV_R8_R8', `store<u8>(${RM}, load<u8>(${REG}));`),
  straight('MOV_R_I', `setRm(cpu, op, ${I64});`),
  load('LOAD64', 64, 'setReg(cpu, op, load<u64>(p));'),
  load('LOAD32', 32, 'setReg(cpu, op, <u64>load<u32>(p));'),
  load('LOAD16', 16, `store<u16>(${REG}, load<u16>(p));`),
  load('LOAD8', 8, `store<u8>(${REG}, load<u8>(p));`),
  store('STORE64', 64, 'reg64(cpu, op)'),
  store('STORE32', 32, 'reg32(cpu, op)'),
  store('STORE16', 16, 'reg32(cpu, op)'),
  store('STORE8', 8, `<u32>load<u8>(${REG})`),
  store('STORE64_I', 64, I64),
  store('STORE32_I', 32, I32),
  store('STORE16_I', 16, I32),
  store('STORE8_I', 8, I32),
  load('LOAD_ZX8', 8, 'setReg(cpu, op, <u64>load<u8>(p));'),
  load('LOAD_ZX16', 16, 'setReg(cpu, op, <u64>load<u16>(p));'),
  load('LOAD64_SX32', 32, 'setReg(cpu, op, <u64>(<i64>load<i32>(p)));'),
  load('LOAD64_SX16', 16, 'setReg(cpu, op, <u64>(<i64>load<i16>(p)));'),
  load('LOAD64_SX8', 8, 'setReg(cpu, op, <u64>(<i64>load<i8>(p)));'),
  load('LOAD32_SX16', 16, 'setReg(cpu, op, <u64>(<u32>(<i32>load<i16>(p))));'),
  load('LOAD32_SX8', 8, 'setReg(cpu, op, <u64>(<u32>(<i32>load<i8>(p))));'),
  straight('ZX8', `setReg(cpu, op, <u64>load<u8>(${RM}));`),
  straight('ZX16', `setReg(cpu, op, <u64>load<u16>(${RM}));`),
  straight('SX32_64', `setReg(cpu, op, <u64>(<i64>load<i32>(${RM})));`),
  straight('SX16_64', `setReg(cpu, op, <u64>(<i64>load<i16>(${RM})));`),
  straight('SX8_64', `setReg(cpu, op, <u64>(<i64>load<i8>(${RM})));`),
  straight('SX16_32', `setReg(cpu, op, <u64>(<u32>(<i32>load<i16>(${RM}))));`),
  straight('SX8_32', `setReg(cpu, op, <u64>(<u32>(<i32>load<i8>(${RM}))));`),
  straight('LEA64', 'setReg(cpu, op, effectiveOffset(cpu, op));'),
  straight('LEA32', 'setReg(cpu, op, effectiveOffset(cpu, op) & 0xffffffff);'),
  straight('CDQE', 'store<i64>(cpu, <i64>load<i32>(cpu, VCPU_RAX), VCPU_RAX);'),
  straight('CQO', 'store<i64>(cpu, load<i64>(cpu, VCPU_RAX) >> 63, VCPU_RDX);'),
  straight('CDQ', 'store<u64>(cpu, <u64>(<u32>(load<i32>(cpu, VCPU_RAX) >> 31)), VCPU_RDX);'),
];

/** Result of a two-operand operation as an expression that also sets the flags. */
const RESULTS = {
  ADD: (width: Width, a: string, b: string) => `add${width}(cpu, ${a}, ${b})`,
  SUB: (width: Width, a: string, b: string) => `sub${width}(cpu, ${a}, ${b})`,
  AND: (width: Width, a: string, b: string) => `logic${width}(cpu, ${a} & ${b})`,
  OR: (width: Width, a: string, b: string) => `logic${width}(cpu, ${a} | ${b})`,
  XOR: (width: Width, a: string, b: string) => `logic${width}(cpu, ${a} ^ ${b})`,
} as const;
type Operation = keyof typeof RESULTS;

const arithmetic: HotCase[] = (Object.keys(RESULTS) as Operation[]).flatMap((operation) =>
  ([64, 32] as const).flatMap((width) => {
    const result = RESULTS[operation];
    const immediate = width === 64 ? I64 : I32;
    return [
      straight(`${operation}${width}_RR`, `setRm(cpu, op, ${result(width, `rm${width}(cpu, op)`, `reg${width}(cpu, op)`)});`),
      straight(`${operation}${width}_RI`, `setRm(cpu, op, ${result(width, `rm${width}(cpu, op)`, immediate)});`),
      load(`${operation}${width}_RM`, width, `setReg(cpu, op, ${result(width, `reg${width}(cpu, op)`, `load<u${width}>(p)`)});`),
    ];
  }),
);

/** Read-modify-write of memory. */
const updateMemory = (name: string, width: Width, value: string): HotCase =>
  straight(name, `${writeMemory(width)}store<u${width}>(p, <u${width}>${value});`);

/** `const carry`: the carry flag, which INC and DEC keep. */
const CARRY = `const carry = quickCarry(cpu); if (carry < 0) ${BY_ROW} `;
/** INC or DEC of `a`: the result in `r`, with the flags set. */
const increase = (kind: string, sign: '+' | '-', width: Width): string =>
  width === 64
    ? `const r = a ${sign} 1; setCc(cpu, ${kind}, a, carry, r); `
    : `const r = a ${sign} 1; setCc(cpu, ${kind}, <i64>(<i32>a), carry, <i64>(<i32>r)); `;
const increaseMemory = (name: string, kind: string, sign: '+' | '-', width: Width): HotCase =>
  straight(
    name,
    `${CARRY}${writeMemory(width)}const a = load<u${width}>(p); ${increase(kind, sign, width)}store<u${width}>(p, r);`,
  );

const updates: HotCase[] = [
  updateMemory('ADD64_MR', 64, RESULTS.ADD(64, 'load<u64>(p)', 'reg64(cpu, op)')),
  updateMemory('ADD32_MR', 32, RESULTS.ADD(32, 'load<u32>(p)', 'reg32(cpu, op)')),
  updateMemory('ADD64_MI', 64, RESULTS.ADD(64, 'load<u64>(p)', I64)),
  updateMemory('ADD32_MI', 32, RESULTS.ADD(32, 'load<u32>(p)', I32)),
  updateMemory('SUB64_MI', 64, RESULTS.SUB(64, 'load<u64>(p)', I64)),
  updateMemory('SUB32_MI', 32, RESULTS.SUB(32, 'load<u32>(p)', I32)),
  updateMemory('OR64_MR', 64, RESULTS.OR(64, 'load<u64>(p)', 'reg64(cpu, op)')),
  updateMemory('OR32_MR', 32, RESULTS.OR(32, 'load<u32>(p)', 'reg32(cpu, op)')),
  updateMemory('AND64_MR', 64, RESULTS.AND(64, 'load<u64>(p)', 'reg64(cpu, op)')),
  updateMemory('AND32_MI', 32, RESULTS.AND(32, 'load<u32>(p)', I32)),
  increaseMemory('INC64_M', 'CC_INC', '+', 64),
  increaseMemory('INC32_M', 'CC_INC', '+', 32),
  increaseMemory('DEC32_M', 'CC_DEC', '-', 32),
];

/** ADC or SBB of `a` and `b`: the result in `r`, with the flags set. */
const withCarry = (kind: 'CC_ADC' | 'CC_SBB', sign: '+' | '-', width: Width, b: string): string =>
  width === 64
    ? `${CARRY}const a = rm64(cpu, op); const b = ${b}; const r = a ${sign} b ${sign} <u64>carry;
      setCc(cpu, ${kind}, a, b, r); setRm(cpu, op, r);`
    : `${CARRY}const a = rm32(cpu, op); const b = ${b}; const r = a ${sign} b ${sign} <u32>carry;
      setCc(cpu, ${kind}, <i64>(<i32>a), <i64>(<i32>b), <i64>(<i32>r)); setRm(cpu, op, <u64>r);`;

const carrying: HotCase[] = [
  straight('ADC64_RR', withCarry('CC_ADC', '+', 64, 'reg64(cpu, op)')),
  straight('ADC64_RI', withCarry('CC_ADC', '+', 64, I64)),
  straight('ADC32_RI', withCarry('CC_ADC', '+', 32, I32)),
  straight('SBB64_RR', withCarry('CC_SBB', '-', 64, 'reg64(cpu, op)')),
  straight('SBB32_RR', withCarry('CC_SBB', '-', 32, 'reg32(cpu, op)')),
];

/** Of an aligned operand; locked also where no prefix asks for it, as in kernels that patched theirs away on one processor. */
const exchanges: HotCase[] = ([64, 32] as const).map((width) => {
  const accumulator = width === 64 ? '<u64>seen' : '<u64>(<u32>seen)';
  const difference = width === 64 ? 'a - seen' : '<i64>(a - seen)';
  return straight(
    `CMPXCHG${width}_M`,
    `${writeMemory(width)}if (p & ${width / 8 - 1}) ${BY_ROW}
    const a = load<i${width}>(cpu, VCPU_RAX); const seen = <i${width}>atomic.cmpxchg<u${width}>(p, <u${width}>a, reg${width}(cpu, op));
    if (seen != a) store<u64>(cpu, ${accumulator}, VCPU_RAX); setCc(cpu, CC_SUB, <i64>a, <i64>seen, ${difference});`,
  );
});

/** CMP: only the flags. */
const compare = (name: string, before: string, a: string, b: string, width: Width): HotCase => {
  const difference = width === 64 ? 'a - b' : `<i64>(<i${width}>(a - b))`;
  return straight(name, `${before}const a = <i64>${a}; const b = <i64>${b}; setCc(cpu, CC_SUB, a, b, ${difference});`);
};

const comparisons: HotCase[] = WIDTHS.flatMap((width) => {
  const load = `load<i${width}>`;
  const cases = [
    compare(`CMP${width}_RR`, '', `${load}(${RM})`, `${load}(${REG})`, width),
    compare(`CMP${width}_RI`, '', `${load}(${RM})`, 'load<i64>(op, OP_IMMEDIATE)', width),
    compare(`CMP${width}_MI`, readMemory(width), `${load}(p)`, 'load<i64>(op, OP_IMMEDIATE)', width),
  ];
  if (width === 16) return cases;
  return [
    ...cases,
    compare(`CMP${width}_RM`, readMemory(width), `${load}(${REG})`, `${load}(p)`, width),
    compare(`CMP${width}_MR`, readMemory(width), `${load}(p)`, `${load}(${REG})`, width),
    straight(`TEST${width}_RR`, `setLogic(cpu, <i64>(${load}(${RM}) & ${load}(${REG})));`),
    straight(`TEST${width}_RI`, `setLogic(cpu, <i64>${load}(${RM}) & load<i64>(op, OP_IMMEDIATE));`),
    straight(`TEST${width}_MI`, `${readMemory(width)}setLogic(cpu, <i64>${load}(p) & load<i64>(op, OP_IMMEDIATE));`),
  ];
});

const increment = (name: string, kind: string, sign: '+' | '-'): HotCase[] => [
  straight(`${name}64`, `${CARRY}const a = rm64(cpu, op); ${increase(kind, sign, 64)}setRm(cpu, op, r);`),
  straight(`${name}32`, `${CARRY}const a = rm32(cpu, op); ${increase(kind, sign, 32)}setRm(cpu, op, <u64>r);`),
];

/**
 * Shifts by a constant, already masked and not zero, or by CL, which leaves the flags as they are when it is zero. CC_INC with A = R
 * has OF clear, CC_DEC with A = operand has OF = its sign when the result is positive: just what SAR and SHR define.
 */
const shifts: HotCase[] = ([64, 32] as const).flatMap((width) => {
  const bits = width;
  const wide = (signed: string): string => (width === 64 ? signed : `<i64>(<i32>${signed})`);
  const set = width === 64 ? 'setRm(cpu, op, r);' : 'setRm(cpu, op, <u64>r);';
  const byConstant = `const n = <u${width}>load<u8>(op, OP_IMMEDIATE); `;
  const byCl = `const n = <u${width}>load<u8>(cpu, VCPU_RCX) & ${bits - 1}; if (n == 0) ${BY_ROW} `;
  const value = `const a = rm${width}(cpu, op); `;
  const left = `const r = a << n; setCc(cpu, CC_SHL, ${wide('a')}, <i64>((a >> (${bits} - n)) & 1), ${wide('r')}); ${set}`;
  const right = `const r = a >> n; setCc(cpu, CC_DEC, ${wide('a')}, <i64>((a >> (n - 1)) & 1), ${wide('r')}); ${set}`;
  return [
    straight(`SHL${width}_I`, value + byConstant + left),
    straight(`SHR${width}_I`, value + byConstant + right),
    straight(`SHL${width}_CL`, byCl + value + left),
    straight(`SHR${width}_CL`, byCl + value + right),
    straight(
      `SAR${width}_I`,
      `const a = <i${width}>rm${width}(cpu, op); const n = <i${width}>load<u8>(op, OP_IMMEDIATE); const r = a >> n;
      setCc(cpu, CC_INC, <i64>r, <i64>((a >> (n - 1)) & 1), <i64>r); setRm(cpu, op, <u64>(<u${width}>r));`,
    ),
    // Its flags are not set: only where the next operation sets them all (specialise.ts).
    straight(`ROL${width}_I`, `setRm(cpu, op, <u64>rotl<u${width}>(rm${width}(cpu, op), load<u${width}>(op, OP_IMMEDIATE)));`),
  ];
});

const others: HotCase[] = [
  straight('ZERO', 'setLogic(cpu, 0); setRm(cpu, op, 0);'),
  straight(
    'AND8_RI',
    `const r = <i32>load<i8>(${RM}) & load<i32>(op, OP_IMMEDIATE); setLogic(cpu, <i64>(<i8>r)); store<u8>(${RM}, <u8>r);`,
  ),
  straight('OR8_RR', `const r = load<u8>(${RM}) | load<u8>(${REG}); setLogic(cpu, <i64>(<i8>r)); store<u8>(${RM}, r);`),
  straight(
    'ADD8_RR',
    `const a = <i32>load<i8>(${RM}); const b = <i32>load<i8>(${REG}); const r = a + b;
    setCc(cpu, CC_ADD, <i64>a, <i64>b, <i64>(<i8>r)); store<u8>(${RM}, <u8>r);`,
  ),
  ...increment('INC', 'CC_INC', '+'),
  ...increment('DEC', 'CC_DEC', '-'),
  straight('NEG64', 'setRm(cpu, op, sub64(cpu, 0, rm64(cpu, op)));'),
  straight('NEG32', 'setRm(cpu, op, sub32(cpu, 0, rm32(cpu, op)));'),
  straight('NOT64', 'setRm(cpu, op, ~rm64(cpu, op));'),
  straight('NOT32', 'setRm(cpu, op, <u64>~rm32(cpu, op));'),
  straight('BSWAP64', 'setRm(cpu, op, bswap64(rm64(cpu, op)));'),
  straight('BSWAP32', 'setRm(cpu, op, <u64>bswap32(rm32(cpu, op)));'),
  straight('IMUL64_RR', 'setReg(cpu, op, multiply64(cpu, <i64>reg64(cpu, op), <i64>rm64(cpu, op)));'),
  straight('IMUL64_RRI', 'setReg(cpu, op, multiply64(cpu, <i64>rm64(cpu, op), load<i64>(op, OP_IMMEDIATE)));'),
  straight('IMUL32_RR', `setReg(cpu, op, multiply32(cpu, load<i32>(${REG}), load<i32>(${RM})));`),
  straight('IMUL32_RRI', `setReg(cpu, op, multiply32(cpu, load<i32>(${RM}), load<i32>(op, OP_IMMEDIATE)));`),
];

/** Stores `value` below RSP, which moves. */
const push = (value: string): string =>
  `const rsp = load<u64>(cpu, VCPU_RSP) - 8; const slot = tlbEntry(cpu, rsp);
  if (!serves(load<u64>(slot, TLB_WRITE), rsp, 8)) ${BY_ROW}
  store<u64>(<usize>load<u32>(slot, TLB_ADDEND) + <usize>rsp, ${value});
  store<u64>(cpu, rsp, VCPU_RSP); `;
/** `const p`: pointer to the eight bytes at \`rsp\`. */
const readStack = accessible('rsp', 8, 'TLB_READ');
const RETURN_ADDRESS = 'nextInstructionAddress(cpu, op)';
const refuse = (address: string): string => `if (!isCanonical(${address})) ${BY_ROW} `;

const stack: HotCase[] = [
  straight('PUSH64', push('rm64(cpu, op)')),
  straight('PUSH_I', push(I64)),
  straight(
    'POP64',
    `const rsp = load<u64>(cpu, VCPU_RSP); ${readStack}
    const value = load<u64>(p); store<u64>(cpu, rsp + 8, VCPU_RSP); setRm(cpu, op, value);`,
  ),
  straight(
    'LEAVE',
    `const rsp = load<u64>(cpu, VCPU_RBP); ${readStack}
    const value = load<u64>(p); store<u64>(cpu, rsp + 8, VCPU_RSP); store<u64>(cpu, value, VCPU_RBP);`,
  ),
];

const transfers: HotCase[] = [
  leaving('JMP', 'status = STOP_BRANCH; break;'),
  leaving('CALL', `${push(RETURN_ADDRESS)}status = STOP_BRANCH; break;`),
  leaving('JMP_R', `const to = rm64(cpu, op); ${refuse('to')}target = to; status = STOP_JUMP; break;`),
  leaving('JMP_M', `${readMemory(64)}const to = load<u64>(p); ${refuse('to')}target = to; status = STOP_JUMP; break;`),
  leaving('CALL_R', `const to = rm64(cpu, op); ${refuse('to')}${push(RETURN_ADDRESS)}target = to; status = STOP_JUMP; break;`),
  leaving(
    'CALL_M',
    `${readMemory(64)}const to = load<u64>(p); ${refuse('to')}${push(RETURN_ADDRESS)}target = to; status = STOP_JUMP; break;`,
  ),
  leaving(
    'RET',
    `const rsp = load<u64>(cpu, VCPU_RSP); ${readStack}const to = load<u64>(p); ${refuse('to')}
    store<u64>(cpu, rsp + 8 + <u64>load<u16>(op, OP_IMMEDIATE), VCPU_RSP); target = to; status = STOP_JUMP; break;`,
  ),
];

const RESULT = 'load<i64>(cpu, VCPU_CC_R)';
const between = (type: 'u64' | 'i64', operator: string): string =>
  `load<${type}>(cpu, VCPU_CC_A) ${operator} load<${type}>(cpu, VCPU_CC_B)`;

/** Conditional branches by what is known of the flags: of any lazy kind, or behind a subtraction. */
const conditions: Record<string, string> = {
  JZ: `${RESULT} == 0`,
  JNZ: `${RESULT} != 0`,
  JS: `${RESULT} < 0`,
  JNS: `${RESULT} >= 0`,
  JLE0: `${RESULT} <= 0`,
  JG0: `${RESULT} > 0`,
  JB_SUB: between('u64', '<'),
  JAE_SUB: between('u64', '>='),
  JBE_SUB: between('u64', '<='),
  JA_SUB: between('u64', '>'),
  JL_SUB: between('i64', '<'),
  JGE_SUB: between('i64', '>='),
  JLE_SUB: between('i64', '<='),
  JG_SUB: between('i64', '>'),
};

const branch = (name: string, holds: string): HotCase =>
  leaving(name, `if (!(${holds})) { op += OP_BYTES; continue; } status = STOP_BRANCH; break;`);
const branches = Object.entries(conditions).map(([name, holds]) => branch(name, holds));

/** Behind flags of which nothing is known. */
const unknownBranches: HotCase[] = [
  leaving('JCC', 'return stop(cpu, op, start, remaining, STOP_CONDITION);'),
  ...(['JC', 'JNC'] as const).map((name) => {
    const { body } = branch(name, name === 'JC' ? 'carry != 0' : 'carry == 0');
    return leaving(
      name,
      `const carry = quickCarry(cpu); if (carry < 0) return stop(cpu, op, start, remaining, STOP_CONDITION); ${body}`,
    );
  }),
];

const holds = (branchName: string): string => conditions[branchName] ?? '';
/** SETcc of a register, CMOVcc between two, by the same conditions. The immediate of a move is the mask of its width. */
const conditional: HotCase[] = [
  straight('SETC', `${CARRY}store<u8>(${RM}, <u8>carry);`),
  ...['Z', 'NZ', 'B_SUB', 'AE_SUB'].map((name) => straight(`SET${name}`, `store<u8>(${RM}, u8(${holds(`J${name}`)}));`)),
  ...['Z', 'NZ', 'S', 'B_SUB', 'AE_SUB'].map((name) =>
    straight(`CMOV${name}`, `setReg(cpu, op, select<u64>(rm64(cpu, op), reg64(cpu, op), ${holds(`J${name}`)}) & ${I64});`),
  ),
];

const single: readonly HotCase[] = [
  ...moves,
  ...arithmetic,
  ...updates,
  ...carrying,
  ...exchanges,
  ...comparisons,
  ...shifts,
  ...others,
  ...stack,
  ...transfers,
  ...branches,
  ...unknownBranches,
  ...conditional,
];

/** Two operations that often follow each other, done by one case: the jump of the switch is what costs most. */
export interface FusedPair {
  readonly name: string;
  readonly first: string;
  readonly second: string;
}

const PAIRS: Readonly<Record<string, string>> = {
  POP64: 'POP64 RET JMP',
  PUSH64: 'PUSH64 MOV_R64_R64',
  MOV_R64_R64: 'MOV_R64_R64 MOV_R32_R32 CALL PUSH64',
  MOV_R32_R32: 'MOV_R32_R32',
  MOV_R_I: 'CALL',
  LEA64: 'LEA64 CALL',
  ZERO: 'JMP',
  NOT64: 'AND64_RR',
  AND64_RR: 'OR64_RR',
  LOAD_ZX8: 'ADD64_RI',
  ADD64_RI: 'POP64',
  NOP: 'PUSH64 LOAD64 MOV_R_I',
  LOAD64: 'LOAD64 STORE64 MOV_R64_R64',
  STORE64: 'STORE64 LOAD64',
  SUB64_RM: 'JNZ',
  TEST64_RR: 'JZ JNZ',
  TEST32_RR: 'JZ JNZ JS JNS',
  TEST8_RR: 'JZ JNZ',
  TEST8_RI: 'JZ JNZ',
  TEST8_MI: 'JZ JNZ',
  TEST32_RI: 'JZ JNZ',
  CMP64_RR: 'JZ JNZ JB_SUB JAE_SUB',
  CMP64_RI: 'JZ JNZ JA_SUB JBE_SUB',
  CMP64_MI: 'JZ JNZ',
  CMP32_RR: 'JZ JNZ',
  CMP32_RI: 'JZ JNZ JA_SUB JBE_SUB',
  CMP32_MI: 'JZ JNZ',
  CMP8_MI: 'JZ JNZ',
  CMP8_RI: 'JZ JNZ',
};

export const fusedPairs: readonly FusedPair[] = Object.entries(PAIRS).flatMap(([first, seconds]) =>
  seconds.split(' ').map((second) => ({ name: `${first}__${second}`, first, second })),
);

const bodyOf = (name: string): HotCase => {
  if (name === 'NOP') return straight(name, '');
  const found = single.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no operation ${name}`);
  return found;
};

const fused = fusedPairs.map(({ name, first, second }): HotCase => {
  const { body, leaves } = bodyOf(second);
  const text = `{ ${bodyOf(first).body} } op += OP_BYTES; { ${body} }`;
  return leaves ? leaving(name, text) : straight(name, text);
});

export const hotCases: readonly HotCase[] = [...single, ...fused];
