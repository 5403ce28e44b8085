/**
 * Where the CPU keeps its state inside a domain's WebAssembly memory: the one statement of these layouts.
 *
 * The file is in the common subset of AssemblyScript and TypeScript: the core, the hypervisor, the translator and the tests
 * all import it, so an offset is never typed twice. Offsets are in bytes; `VCPU_*` are relative to the vCPU block (the `cpu`
 * pointer that every function of the core takes), `OP_*` to a decoded operation, `FRAME_*` to a frame record.
 */

export const PAGE_SHIFT = 12;
export const PAGE_BYTES = 4096;

// ---- the memory as a whole ------------------------------------------------------------------------------------------
// Low to high: constant tables of the core | control area | vCPU blocks | frame records | M2P | frames (guest RAM last).
// The three last parts depend on the size of the domain; their places stand in the control area.

/** asc puts the core's constant tables from here on; everything below CONTROL belongs to the core's module. */
export const STATIC_BASE = 1024;
/** Function-table index (u16) of the handler of each row of the instruction table; written by `initialiseTables`. */
export const HANDLER_TABLE = 0xe0000;
/** Control area of the domain. */
export const CONTROL = 0x100000;
export const CONTROL_BYTES = 0x100000;

// What the CPU itself reads of the control area (the rest is laid out in pv/layout.ts, from CONTROL_PV on).
/** u32: byte offset in this memory of frame number `firstMfn`. Page aligned. */
export const CONTROL_FRAMES_BASE = 0x00;
/** u32: frames of this memory: hypervisor-owned ones first (shared info, grant table), then guest RAM. */
export const CONTROL_FRAME_COUNT = 0x04;
/** u32: machine frame number of the first frame. */
export const CONTROL_FIRST_MFN = 0x08;
/** u32: offset of the frame records (FRAME_BYTES each). */
export const CONTROL_FRAME_RECORDS = 0x0c;
/** u32: offset of the machine-to-physical table (u64 each, index mfn - M2P's first mfn, which is 0 mod 512). */
export const CONTROL_M2P = 0x10;
/** u32: pages of the M2P present. */
export const CONTROL_M2P_PAGES = 0x14;
/** u32: first mfn covered by the M2P present. */
export const CONTROL_M2P_FIRST_MFN = 0x18;
/** u32: number of vCPU blocks. */
export const CONTROL_VCPU_COUNT = 0x1c;
/** u32: number of hypervisor-owned frames at the start of the frames. */
export const CONTROL_XEN_FRAMES = 0x20;
/** u32: number of CPUID leaves in the table at CONTROL_CPUID. */
export const CONTROL_CPUID_COUNT = 0x2c;
/** u32: code arena bytes of each vCPU. */
export const CONTROL_ARENA_BYTES = 0x30;
/** CPUID leaves: u32 leaf, u32 subleaf (0xffffffff = any), eax, ebx, ecx, edx: 24 bytes each, at most 64. */
export const CONTROL_CPUID = 0x100;
export const CPUID_LEAF_BYTES = 24;
export const CPUID_LEAVES_MAX = 64;
// Words that several vCPUs write, each on a cache line of its own.
/** u32 lock word of the page tables of the domain (types, counts, validation). */
export const CONTROL_MM_LOCK = 0x800;
/** u32, atomic: 0 = free; 1, or 2 with sleepers = a vCPU keeps all others outside guest code (rendezvous.ts). */
export const CONTROL_SPLIT_LOCK = 0x840;
/** u32, atomic: bit n = vCPU n would run and waits for a processor. */
export const CONTROL_QUEUED_VCPUS = 0x880;
/** u32, atomic: changes of page tables logged so far, and the latest of them, u64 each (cpu/table-log.ts). */
export const CONTROL_TABLE_LOG_HEAD = 0x900;
export const CONTROL_TABLE_LOG = 0x980;
export const TABLE_LOG_ENTRIES = 128;
/** From here on the control area belongs to the hypervisor: pv/layout.ts. */
export const CONTROL_PV = 0x1000;

/** First vCPU block; block n is at VCPU_BLOCKS + n * VCPU_BLOCK_BYTES. */
export const VCPU_BLOCKS = 0x200000;
export const VCPU_BLOCK_BYTES = 0x300000;
export const MAX_VCPUS = 32;

// ---- a vCPU block -----------------------------------------------------------------------------------------------------
// 0x000: slots, 8 bytes each, that a decoded operation names by byte offset (so that an 8-bit register is just a byte offset).
export const VCPU_RAX = 0x00;
export const VCPU_RCX = 0x08;
export const VCPU_RDX = 0x10;
export const VCPU_RBX = 0x18;
export const VCPU_RSP = 0x20;
export const VCPU_RBP = 0x28;
export const VCPU_RSI = 0x30;
export const VCPU_RDI = 0x38;
export const VCPU_R8 = 0x40;
export const VCPU_R9 = 0x48;
export const VCPU_R10 = 0x50;
export const VCPU_R11 = 0x58;
export const VCPU_R12 = 0x60;
export const VCPU_R13 = 0x68;
export const VCPU_R14 = 0x70;
export const VCPU_R15 = 0x78;
/** Always zero: the base, index or segment of an address that has none. */
export const VCPU_ZERO = 0x80;
/** Virtual address of the page in which the running block starts; RIP-relative operands are relative to it. */
export const VCPU_PAGE = 0x88;
export const VCPU_FS_BASE = 0x90;
export const VCPU_GS_BASE = 0x98;
/** Effective address made by a preceding micro-operation (address-size prefix, bit offsets beyond the operand). */
export const VCPU_EA = 0xa0;
/** GS base that SWAPGS (and a kernel/user switch of PV) exchanges with VCPU_GS_BASE. */
export const VCPU_INACTIVE_GS_BASE = 0xa8;

// What translated code leaves behind for the run loop, which makes flags of it (cpu/region-exit.ts).
/** u64 each: operands and result of the last instruction that set flags, and the result of the last rotate. */
export const VCPU_LEFT_A = 0xb0;
export const VCPU_LEFT_B = 0xb8;
export const VCPU_LEFT_R = 0xc0;
export const VCPU_LEFT_ROTATED = 0xc8;
/** u32: kind of the flags where only running code knows it. */
export const VCPU_LEFT_KIND = 0xd0;

/** u64; exact only outside `run` and in handlers (the run loop stores it before calling one that may need it). */
export const VCPU_RIP = 0x100;
/** u64: all flags but the arithmetic ones (CF PF AF ZF SF OF), which live in the VCPU_CC_* fields. DF is here. */
export const VCPU_RFLAGS = 0x108;
// Lazy arithmetic flags. A, B and R are sign-extended from the operand size to 64 bits, so that no reader needs the size.
/** u32, one of CC_*. */
export const VCPU_CC_OP = 0x110;
export const VCPU_CC_A = 0x118;
export const VCPU_CC_B = 0x120;
export const VCPU_CC_R = 0x128;

/** CC_EXPLICIT: the flags are in VCPU_CC_R's low 32 bits as in RFLAGS. */
export const CC_EXPLICIT = 0;
/** R = A + B */
export const CC_ADD = 1;
/** R = A - B (also CMP, NEG with A = 0) */
export const CC_SUB = 2;
/** R is the result; CF = OF = AF = 0 */
export const CC_LOGIC = 3;
/** R = A + 1; CF is bit 0 of VCPU_CC_B */
export const CC_INC = 4;
/** R = A - 1; CF is bit 0 of VCPU_CC_B */
export const CC_DEC = 5;
/** R = A + B + carry and R = A - B - borrow; the carry that came in follows from the three. */
export const CC_ADC = 6;
export const CC_SBB = 7;
/** R is the low part of the signed product A * B; CF = OF = it does not hold the product. */
export const CC_IMUL = 8;
/** R is the low part of a product; CF = OF = bit 0 of VCPU_CC_B */
export const CC_MUL = 9;
/** R is A shifted left; CF is bit 0 of VCPU_CC_B, OF = CF differs from R's sign */
export const CC_SHL = 10;

/** u32: 0 = kernel mode, 1 = user mode. */
export const VCPU_USER_MODE = 0x130;
/** u32: current TLB (offset in this memory): that of one of the banks below. */
export const VCPU_TLB = 0x134;
/** u32: current code TLB, of the same bank. */
export const VCPU_CODE_TLB = 0x138;
/** u32: index of this vCPU. */
export const VCPU_ID = 0x13c;
/** u64 machine addresses of the L4 tables of the two modes; user 0 = none. */
export const VCPU_CR3_KERNEL = 0x140;
export const VCPU_CR3_USER = 0x148;
export const VCPU_CR0 = 0x150;
export const VCPU_CR2 = 0x158;
export const VCPU_CR4 = 0x160;
export const VCPU_EFER = 0x168;
/** u16 selectors: ES CS SS DS FS GS, in the order of the segment number of an instruction. */
export const VCPU_SELECTORS = 0x170;
/** u16: LDT selector (informational). */
export const VCPU_LDTR = 0x17c;
/** u64 each: DR0..DR7. */
export const VCPU_DR = 0x180;
/** u64: GDT and LDT linear base, u32 limit in bytes; the hypervisor keeps them. */
export const VCPU_GDT_BASE = 0x1c0;
export const VCPU_GDT_LIMIT = 0x1c8;
export const VCPU_LDT_LIMIT = 0x1cc;
export const VCPU_LDT_BASE = 0x1d0;

// The fault or trap that a handler reported with FAULT.
/** u32 vector. */
export const VCPU_FAULT_VECTOR = 0x1d8;
/** u32 error code; valid for the vectors that have one. */
export const VCPU_FAULT_ERROR = 0x1dc;
/** u64 linear address of a page fault. */
export const VCPU_FAULT_ADDRESS = 0x1e0;
/** u32: why `run` returned, EXIT_*. */
export const VCPU_EXIT_REASON = 0x1e8;
/** u32: detail of the exit (vector, shutdown reason ...). */
export const VCPU_EXIT_DETAIL = 0x1ec;

/** u32, atomic: REQUEST_* bits set by anyone, cleared by the vCPU. */
export const VCPU_REQUEST = 0x1f0;
/** u32, atomic: whether the vCPU executes guest instructions: OUTSIDE (blocked, paused, in the hypervisor), INSIDE or AWAITED. */
export const VCPU_IN_GUEST = 0x1f4;
export const OUTSIDE = 0;
export const INSIDE = 1;
/** Inside, and somebody sleeps on the word until the vCPU leaves or has flushed. */
export const AWAITED = 2;
/** u32, atomic: flushes asked for, counted up by requesters. */
export const VCPU_FLUSH_ASKED = 0x1f8;
/** u32, atomic: value of VCPU_FLUSH_ASKED when the vCPU last flushed. */
export const VCPU_FLUSH_DONE = 0x1fc;
/** u32, atomic: word on which a blocked vCPU waits; incremented and notified to wake it. */
export const VCPU_DOORBELL = 0x200;
/** u32: guest instructions left before `run` returns EXIT_BUDGET (signed; kept in a local while running). */
export const VCPU_BUDGET = 0x204;
/** u32: 1 while RFLAGS.TF or an enabled debug register asks for one instruction at a time. */
export const VCPU_STEPPING = 0x208;
/** u32: bytes of a slow store pending between beginStore and endStore, 0 = none; then the fields that describe it. */
export const VCPU_STORE_BYTES = 0x20c;
export const VCPU_STORE_ADDRESS = 0x210;
/** u32: interrupts are inhibited for one instruction (mov ss, sti): not before the next instruction has run. */
export const VCPU_SHADOW = 0x218;
/** u32: host pointer of the operation under way (valid in out-of-line handlers). */
export const VCPU_CURRENT_OP = 0x21c;
/** u32: user bank in use (offset in this memory); u32: counts choices of a user bank, to find the one used longest ago. */
export const VCPU_USER_BANK = 0x220;
export const VCPU_BANK_CLOCK = 0x224;
/** u32: position in the log of table changes up to which this vCPU's banks are right (cpu/table-log.ts). */
export const VCPU_TABLE_LOG_SEEN = 0x228;
/** u32: operation from which on `execute` has not counted; u32 (signed): instructions left as it counts (cpu/execute.ts). */
export const VCPU_RUN_START = 0x4ac;
export const VCPU_RUN_LEFT = 0x4b4;
/** u32 (signed): instructions still to be interpreted until `run` returns for a sample; what is not positive asks for one. */
export const VCPU_SAMPLE_LEFT = 0x22c;
/** u64: where the block begins that was interpreted last when `run` returned for a sample. */
export const VCPU_SAMPLE_RIP = 0x4c0;
/** u32: transitions between regions sampled so far. */
export const VCPU_TRANSITIONS_SAMPLED = 0x4a8;
/** u32 (signed): instructions still to be executed in long runs of regions until one of those is sampled. */
export const VCPU_LONG_RUNS_LEFT = 0x4b8;
/** u32: kind of the slow store pending, one of the three below. */
export const VCPU_STORE_KIND = 0x234;
/** Written in place, in a frame with marks. */
export const STORE_MARKED = 1;
/** Written to the bounce buffer, to be copied to two pages. */
export const STORE_CROSSING = 2;
/** Written to the bounce buffer, to be given to the hypervisor's page-table writer. */
export const STORE_PAGE_TABLE = 3;
/** u32: host pointer the pending slow store goes to (its first page). */
export const VCPU_STORE_HOST = 0x238;
/** u32: host pointer of the second page's first byte, 0 = the store does not cross. */
export const VCPU_STORE_HOST2 = 0x23c;
/** u32: data breakpoints (bit n = DRn) that the instruction under way has hit. */
export const VCPU_WATCH_HITS = 0x51c;
/** u32: pause instructions since `run` was entered. */
export const VCPU_PAUSES = 0x230;
/** u32, atomic: what a fence stores to and loads from; nobody looks at it. */
export const VCPU_FENCE = 0x4b0;
/** 64 bytes, 16-aligned: data of an access that crosses a page or needs a slow store. */
export const VCPU_BOUNCE = 0x240;

/** Code-drop epoch of this vCPU: u32, counts arena resets, drops and flushes for others, so that links are never made into blocks that went away. */
export const VCPU_CODE_EPOCH = 0x518;

// Counters, u64 each, never reset.
export const VCPU_INSTRUCTIONS = 0x280;
export const VCPU_INSTRUCTIONS_TRANSLATED = 0x288;
export const VCPU_TLB_MISSES = 0x290;
export const VCPU_BLOCKS_DECODED = 0x298;
export const VCPU_CODE_DROPS = 0x2a0;
export const VCPU_FAULTS = 0x2a8;
export const VCPU_HYPERCALLS = 0x2b0;
export const VCPU_EVENTS = 0x2b8;
/** Times all banks of translations were emptied; look-ups of blocks that the jump cache did not answer. */
export const VCPU_FLUSHES = 0x2c0;
export const VCPU_BLOCK_LOOKUPS = 0x2c8;
/** Instructions of regions that were executed by their row's handler; they count as translated too. */
export const VCPU_INSTRUCTIONS_HANDLED = 0x2f8;
/** Times the run loop entered a region, and times one gave an instruction back to the interpreter (REDO). */
export const VCPU_REGION_ENTRIES = 0x2d0;
export const VCPU_REGION_REDOS = 0x2d8;

// 0x300: vector and x87 state.
/** XMM0..15, 16 bytes each. */
export const VCPU_XMM = 0x300;
/** x87 registers by physical number R0..R7, 16 bytes each: u64 significand (also MM0..7) at +0, u16 sign and exponent at +8. */
export const VCPU_X87 = 0x400;
/** u16 control word, u16 status word with TOP in bits 11-13, u8 tag (bit set = register i in use, as FXSAVE abridges it). */
export const VCPU_FCW = 0x480;
export const VCPU_FSW = 0x482;
export const VCPU_FTW = 0x484;
/** u16: opcode of the last x87 instruction. */
export const VCPU_FOP = 0x486;
export const VCPU_FIP = 0x488;
export const VCPU_FDP = 0x490;
export const VCPU_MXCSR = 0x498;
/** Softfloat scratch: u32 exception flags raised by the operation under way. */
export const VCPU_SOFTFLOAT_FLAGS = 0x49c;
/** u32 each: first free byte of the region arena (offset in the block); number of times all regions were forgotten. */
export const VCPU_REGION_NEXT = 0x4a0;
export const VCPU_REGION_GENERATION = 0x4a4;

// 0x500: blocks and arena (cpu/blocks.ts).
export const VCPU_ARENA = 0x500;
export const VCPU_ARENA_NEXT = 0x504;
export const VCPU_ARENA_END = 0x508;
/** u32 each: frames whose code must be dropped, posted by other vCPUs: ring of 64 with producer and consumer counters. */
export const VCPU_DROP_PRODUCER = 0x50c;
export const VCPU_DROP_CONSUMER = 0x510;
export const VCPU_DROP_LOCK = 0x514;
export const VCPU_DROP_RING = 0x520;
export const DROP_RING_ENTRIES = 64;
/** 24 bytes: the instruction being decoded, zero-padded. */
export const VCPU_FETCH_BUFFER = 0x620;
/** Scratch operations for one-at-a-time execution: four OP_BYTES records and a block header. */
export const VCPU_STEP_BLOCK = 0x640;

/** 0x800-0xfff: the hypervisor's state of this vCPU: pv/layout.ts. */
export const VCPU_PV = 0x800;

/** Jump cache: u32 host address of code, u32 first operation of its block; all zero = nothing. */
export const VCPU_JUMPS = 0x2000;
export const JUMP_ENTRIES = 8192;
export const JUMP_ENTRY_BYTES = 8;
/** Hash of blocks by host address: u32 block pointer each. */
export const VCPU_BLOCK_HASH = 0x12000;
export const BLOCK_HASH_ENTRIES = 32768;
/** Hash of frames that hold decoded code: u32 head of the list of their blocks. */
export const VCPU_FRAME_HASH = 0x32000;
export const FRAME_HASH_ENTRIES = 16384;
/** Hashes of u32 heads: translated regions by the host address of their entry, and by the frames they were made from. */
export const VCPU_REGION_HASH = 0x42000;
export const VCPU_REGION_FRAMES = 0x46000;
export const REGION_HASH_ENTRIES = 4096;
/** Sampled ways out of regions: ring of u32 function-table index left, u32 why (JUMP, REDO or SAMPLE_LONG_RUN), u64 RIP gone to. */
export const VCPU_TRANSITIONS = 0x4a000;
export const TRANSITION_ENTRIES = 64;
export const TRANSITION_ENTRY_BYTES = 16;
/** One of so many entries of regions is sampled. */
export const TRANSITION_PERIOD = 256;
/** Of runs of so many instructions or more one is sampled whenever they have executed so many together. */
export const SAMPLE_LONG_RUN = 0x100;
export const LONG_RUN = 256;
export const LONG_RUNS_PERIOD = 1 << 20;
/**
 * Ways into regions by RIP (cpu/regions.ts): all that entering one takes, in half a cache line. u64 RIP; u64 address of the region's first
 * page; u32 BANK_MAPPINGS and u32 VCPU_CODE_EPOCH when that was found; u32 function-table index, with the number of the entry in
 * bits 24-31; u32 host address of the region's data.
 */
export const VCPU_WAYS = 0x4a400;
export const WAY_ENTRIES = 4096;
export const WAY_BYTES = 32;
export const WAY_RIP = 0;
export const WAY_PAGE = 8;
export const WAY_MAPPINGS = 16;
export const WAY_EPOCH = 20;
export const WAY_FUNCTION = 24;
export const WAY_DATA = 28;
/** Records of regions, and the operations that regions hand to handlers (cpu/regions.ts). */
export const VCPU_REGION_ARENA = 0x6a400;
export const VCPU_REGION_ARENA_END = 0x200000;
/** Banks of translations: that of kernel mode, then those of user mode, each for one root table (cpu/tlb.ts). */
export const VCPU_BANKS = 0x200000;
export const USER_BANKS = 4;
export const BANK_BYTES = 0x30700;
/**
 * TLB of a bank, at its start; an entry's index is the low bits of the page number. Kernels are spread over many regions of the
 * address space, and of their hot pages too many share the low ten bits.
 */
export const TLB_ENTRIES = 4096;
/**
 * u64 read tag, u64 write tag (page address, or what says that it may not be accessed so: banks.ts), u32 addend (host = addend + low
 * 32 bits of va). Of a page that may be written, but only by the slow path (code, page table, dirty log), the write tag is not set.
 */
export const TLB_ENTRY_BYTES = 32;
export const TLB_READ = 0;
export const TLB_WRITE = 8;
export const TLB_ADDEND = 16;
/** Code TLB of a bank: u64 tag as above, u32 addend, u32 unused; as many entries. */
export const BANK_CODE = 0x20000;
export const CODE_TLB_ENTRY_BYTES = 16;
export const CODE_TLB_ADDEND = 8;
/**
 * Entries of the TLB and of the code TLB that have been filled; entries of the TLB filled for the lower half. A byte for each slot of a
 * page table (the low nine bits of the index), a bit of it for each entry that the slot can lead to (the others).
 */
export const FILLED_BYTES = 512;
export const BANK_FILLED = 0x30000;
export const BANK_CODE_FILLED = 0x30200;
export const BANK_LOW_FILLED = 0x30400;
/** u64: root table of a user bank (machine address), 0 = none; u32: when it was last chosen; u32: code of the lower half is in it. */
export const BANK_ROOT = 0x30600;
export const BANK_CHOSEN = 0x30608;
export const BANK_LOW_CODE = 0x3060c;
/** u32: changes whenever code that was translated by the bank may lie elsewhere now; in no two banks the same. */
export const BANK_MAPPINGS = 0x30610;
export const BANK_MAPPINGS_STEP = 8;

// A region: u32 next in its hash bucket, u32 host address of the entry, u32 function-table index (0 = dead), with the
// number of the entry in bits 24-31, u32 frame index.
export const REGION_NEXT = 0;
export const REGION_KEY = 4;
export const REGION_TABLE_INDEX = 8;
export const REGION_FRAME = 12;
/** u32: host address of what the region's code reads (jit/translation.ts). */
export const REGION_DATA = 16;
/** i32: position of the entry's page behind the region's first. */
export const REGION_POSITION = 20;
// That begins with: u32 BANK_MAPPINGS when the pages were found in their places; u32 number of pages; u64 address of the first then;
// for each page u32 host address, i32 position behind the first.
export const REGION_DATA_MAPPINGS = 0;
export const REGION_DATA_COUNT = 4;
export const REGION_DATA_AT = 8;
export const REGION_DATA_PAGES = 16;
export const REGION_DATA_PAGE_BYTES = 8;
export const REGION_DATA_HOST = 0;
export const REGION_DATA_POSITION = 4;
export const REGION_RECORD_BYTES = 32;
export const REGION_ENTRY_SHIFT = 24;
// A frame it was made from: u32 next in its bucket, u32 frame index, u32 record.
export const REGION_NODE_NEXT = 0;
export const REGION_NODE_FRAME = 4;
export const REGION_NODE_RECORD = 8;
export const REGION_NODE_BYTES = 16;

// ---- requests ---------------------------------------------------------------------------------------------------------
export const REQUEST_EVENT = 1;
export const REQUEST_FLUSH = 2;
export const REQUEST_CODE_DROP = 4;
/** Leave `run` with EXIT_REQUEST (pause, timer, scheduling: the caller knows). */
export const REQUEST_LEAVE = 8;
/** Another vCPU needs everyone still: leave guest code until CONTROL_SPLIT_LOCK is free. */
export const REQUEST_HOLD = 16;

// ---- why run() returned ------------------------------------------------------------------------------------------------
export const EXIT_BUDGET = 0;
export const EXIT_REQUEST = 1;
/** The vCPU has nothing to do until an event, its timer or its doorbell. */
export const EXIT_BLOCK = 2;
export const EXIT_YIELD = 3;
/** Whole domain asks to shut down; detail = SHUTDOWN_* reason. */
export const EXIT_SHUTDOWN = 4;
/** The hypervisor crashes the domain; detail = code, text by the host. */
export const EXIT_CRASH = 5;
/** No host hook took the exception: detail = vector (bare CPU, tests). */
export const EXIT_EXCEPTION = 6;
/** This vCPU went offline (VCPUOP_down). */
export const EXIT_OFFLINE = 7;
/** Domain 0 was notified and is expected to answer soon: the vCPU is to wait a moment for an event. */
export const EXIT_ANSWER = 8;

// ---- what a handler returns --------------------------------------------------------------------------------------------
/** Go on with the next operation of the block. */
export const NEXT = 0;
/** VCPU_RIP holds the address to go on at. */
export const JUMP = 1;
/** VCPU_FAULT_* describes an exception of the current instruction; nothing of it has happened. RIP stays on it. */
export const FAULT = 2;
/** Leave `run`; VCPU_RIP and VCPU_EXIT_REASON are set. */
export const EXIT = 3;
/** As FAULT, but a trap: RIP already points behind the instruction. */
export const TRAP = 4;
/** The instruction must run again from its start (a compare-exchange under it lost a race). */
export const RETRY = 5;
/** Of a translated region only: the interpreter is to execute the one instruction at VCPU_RIP. */
export const REDO = 7;

/** Bytes; a longer instruction is #GP. */
export const LONGEST_INSTRUCTION = 15;

// ---- a decoded operation ------------------------------------------------------------------------------------------------
export const OP_BYTES = 32;
/** u16: case of the hot switch, or HOT_HANDLERS + function-table index. */
export const OP_HANDLER = 0;
/** u8: byte offset in the vCPU block of the `reg` operand (GPR), or its number (XMM, MMX, x87, segment, control, debug). */
export const OP_REG = 2;
/** u8: the same for the `rm` operand when it is a register. */
export const OP_RM = 3;
/** u8 each: byte offsets of the slots that make the address: (base) + (index << scale) + disp, then + (segment). */
export const OP_BASE = 4;
export const OP_INDEX = 5;
export const OP_SEGMENT = 6;
export const OP_SCALE = 7;
/** u16: offset of the instruction from VCPU_PAGE. */
export const OP_OFFSET = 8;
/** u8: length of the instruction in bytes. */
export const OP_LENGTH = 10;
/** u8: operand size in bytes (1 2 4 8 16). */
export const OP_SIZE = 11;
/** i32: displacement, sign-extended; RIP-relative ones have OP_BASE = VCPU_PAGE and the offset folded in. */
export const OP_DISPLACEMENT = 12;
/** i64: immediate, sign- or zero-extended as the instruction says; branch target as offset from VCPU_PAGE. */
export const OP_IMMEDIATE = 16;
// Of an operation that enters a region, in place of the immediate: u32 host address of the region's data, i32 position of the entry's page
// behind the region's first.
export const OP_REGION_DATA = 16;
export const OP_REGION_POSITION = 20;
/** u32: for a branch, first operation of the taken block (0 = not linked). */
export const OP_LINK = 24;
/** u16: row of the instruction table. u8 OPF_* flags. u8: aux constant of the row. */
export const OP_ROW = 28;
export const OP_FLAGS = 30;
export const OP_AUX = 31;

/** The rm operand is in memory. */
export const OPF_MEMORY = 1;
export const OPF_LOCK = 2;
/** F3 / F2 prefix seen (REP, REPE / REPNE). */
export const OPF_REP = 4;
export const OPF_REPNE = 8;
/** REX.W seen. */
export const OPF_REXW = 16;
/** Address-size prefix seen (string instructions; others get a micro-operation that makes VCPU_EA). */
export const OPF_ADDRESS32 = 32;
/** 66 prefix seen. */
export const OPF_OPSIZE = 64;

// ---- a frame record ------------------------------------------------------------------------------------------------------
export const FRAME_BYTES = 32;
/** u32: page type and counts, kept by pv (pv/page-type.ts); 0 = none. */
export const FRAME_TYPE = 0;
/** u32, atomic: FRAMEF_* bits. */
export const FRAME_FLAGS = 4;
/** u32, atomic: bit n = vCPU n has decoded code from this frame. */
export const FRAME_CODE_VCPUS = 8;
/** u32: references (pv). */
export const FRAME_REFERENCES = 12;
/** u64, atomic: bit n = some vCPU has decoded bytes of the n-th 64-byte chunk of this frame. */
export const FRAME_CODE_CHUNKS = 16;
/** u64, atomic: page address + 1 of the only fast-writable translation that TLBs may hold of this frame, all ones = several, 0 = none. */
export const FRAME_WRITTEN_AT = 24;

/** A fast-writable TLB entry for this frame may exist on some vCPU. Set by the TLB fill, before it looks at the marks. */
export const FRAMEF_WRITE_CACHED = 1;
/** Stores must be logged (migration). */
export const FRAMEF_LOG_DIRTY = 2;
/** Stores go to the hypervisor's page-table writer; the guest maps it read-only (ptwr). */
export const FRAMEF_PAGE_TABLE = 4;
/** Written since the log was last read. */
export const FRAMEF_DIRTY = 8;

// ---- exception vectors ---------------------------------------------------------------------------------------------------
export const VECTOR_DE = 0;
export const VECTOR_DB = 1;
export const VECTOR_NMI = 2;
export const VECTOR_BP = 3;
export const VECTOR_OF = 4;
export const VECTOR_BR = 5;
export const VECTOR_UD = 6;
export const VECTOR_NM = 7;
export const VECTOR_DF = 8;
export const VECTOR_TS = 10;
export const VECTOR_NP = 11;
export const VECTOR_SS = 12;
export const VECTOR_GP = 13;
export const VECTOR_PF = 14;
export const VECTOR_MF = 16;
export const VECTOR_AC = 17;
export const VECTOR_MC = 18;
export const VECTOR_XM = 19;
