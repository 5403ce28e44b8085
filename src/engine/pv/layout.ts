/**
 * Where the hypervisor keeps its state inside a domain's memory: PV_* are offsets in a vCPU block, DOMAIN_* absolute places in
 * the control area. Like cpu/layout.ts it is in the common subset of AssemblyScript and TypeScript and imports nothing, so its
 * bases repeat VCPU_PV (0x800) and CONTROL + CONTROL_PV (0x101000); a test holds them together.
 *
 * Authority over other domains is not here: whoever reads this area from outside the domain treats it as hostile.
 */

// ---- a vCPU: 0x800-0xfff, trap table 0x1000-0x1fff ----------------------------------------------------------------------
/** u32: host pointer of the vCPU's vcpu_info. */
export const PV_VCPU_INFO = 0x800;
/** u32, atomic: 1 = up (VCPUOP_up), 0 = down. */
export const PV_ONLINE = 0x804;
/** u32: 1 = registers have been set. */
export const PV_INITIALISED = 0x808;
/** u32, atomic: PV_WAITING_*: what the vCPU sleeps for. */
export const PV_WAITING = 0x80c;
export const PV_WAITING_NOTHING = 0;
/** SCHEDOP_block: until an event is deliverable. */
export const PV_WAITING_BLOCK = 1;
/** SCHEDOP_poll: until a polled port is pending, an event is deliverable, or the time-out. */
export const PV_WAITING_POLL = 2;
/** i32: polled port; -1 = several, any event may be meant. */
export const PV_POLL_PORT = 0x810;
/** u32, atomic: PV_NMI_*. */
export const PV_NMI = 0x814;
export const PV_NMI_PENDING = 1;
/** A non-maskable interrupt has been delivered and no iret has come yet. */
export const PV_NMI_MASKED = 2;
/** u64 stack pointer and u32 selector for entries from user mode. */
export const PV_KERNEL_SP = 0x818;
export const PV_KERNEL_SS = 0x820;
/** u32: virtual I/O privilege level 0..3. */
export const PV_IOPL = 0x824;
/** u64 each: entry points, 0 = not registered. */
export const PV_EVENT_CALLBACK = 0x828;
export const PV_FAILSAFE_CALLBACK = 0x830;
export const PV_SYSCALL_CALLBACK = 0x838;
export const PV_SYSCALL32_CALLBACK = 0x840;
export const PV_SYSENTER_CALLBACK = 0x848;
/** u32: bit (1 << CALLBACKTYPE_*) = entering this callback masks events. */
export const PV_CALLBACKS_MASKING = 0x850;
/** u32: entries of the guest's GDT; u32[16]: machine frames that hold it. */
export const PV_GDT_ENTRIES = 0x854;
export const PV_GDT_FRAMES = 0x858;
export const GDT_FRAMES_MAX = 16;
/** i64 ns: one-shot deadline (VIRQ_TIMER), 0 = none. */
export const PV_TIMER_DEADLINE = 0x8a0;
/** i64 ns: period of the periodic timer, 0 = none, and its next tick. */
export const PV_PERIOD = 0x8a8;
export const PV_PERIODIC_NEXT = 0x8b0;
/** i64 ns: time-out of SCHEDOP_poll, 0 = none. */
export const PV_POLL_DEADLINE = 0x8b8;
/** struct vcpu_runstate_info, 48 bytes. */
export const PV_RUNSTATE = 0x8c0;
/** u64: where the guest wants a live copy of it (kernel virtual address), 0 = nowhere. */
export const PV_RUNSTATE_AREA = 0x8f0;
/** u64: where the guest wants a copy of the time record, 0 = nowhere. */
export const PV_TIME_AREA = 0x8f8;
/** u16[24]: port bound to each virtual interrupt, 0 = none. */
export const PV_VIRQ_PORTS = 0x900;
/** u32: machine frame that holds vcpu_info after VCPUOP_register_vcpu_info, 0 = it is in shared_info. */
export const PV_VCPU_INFO_MFN = 0x930;
/** u32, atomic: 1 while a thread is running this vCPU (guest or hypervisor code). */
export const PV_RUNNING = 0x934;
/** u32: 1 while a multicall is being worked off. */
export const PV_IN_MULTICALL = 0x938;
/** u64: control register 4 as the guest sees it. */
export const PV_CR4 = 0x940;
/** u64: latch of port 0xcf8. */
export const PV_CONFIG_ADDRESS = 0x948;
/** u32: physical CPU the vCPU last ran on. */
export const PV_PCPU = 0x950;
/** u32: MSR 0x48 as the guest last wrote it. */
export const PV_SPEC_CTRL = 0x954;
/** u32, atomic: 0 = on no processor, else 1 + its number (pv/processors.ts); a queued vCPU sleeps on the word. */
export const PV_PROCESSOR = 0x958;
/** u32: NOTIFIED_*: what came after the last notification of domain 0 that is looked at (pv/answers.ts). */
export const PV_NOTIFIED = 0x95c;
export const NOTIFIED_NOTHING = 0;
/** The task that notified goes on; it was switched away from. */
export const NOTIFIED_RUNNING = 1;
export const NOTIFIED_SWITCHED = 2;
/** u32: port that is looked at; i32: how much the guest is known to wait for its answers; u32: notifications of it. */
export const PV_ANSWER_PORT = 0x960;
export const PV_ANSWER_TRUST = 0x964;
export const PV_ANSWER_NOTIFICATIONS = 0x968;
/** 192 bytes: structures copied in from the guest by the hypercall under way. */
export const PV_SCRATCH = 0x980;
export const PV_SCRATCH_BYTES = 192;
/** 64 bytes: the multicall entry under way. */
export const PV_MULTICALL = 0xa40;
/** u64[48]: hypercalls made, by number. */
export const PV_HYPERCALL_COUNTS = 0xa80;
/** u64 each: exceptions delivered, by vector 0..31. */
export const PV_EXCEPTION_COUNTS = 0xc00;
/** u64: direct page-table writes taken. */
export const PV_PAGE_TABLE_WRITES = 0xd00;
/** 256 trap entries: u64 address, u32 flags (bits 0-1 DPL, bit 2 masks events), u32 selector. */
export const PV_TRAP_TABLE = 0x1000;
export const PV_TRAP_BYTES = 16;
export const PV_TRAP_FLAGS = 8;
export const PV_TRAP_SELECTOR = 12;

// ---- the domain ---------------------------------------------------------------------------------------------------------
/** u32: domain identifier. */
export const DOMAIN_ID = 0x101000;
/** u32: pages the domain may have at present (the toolstack changes it), pages it has. */
export const DOMAIN_MAX_PAGES = 0x101004;
export const DOMAIN_TOTAL_PAGES = 0x101008;
/** u32: pages of the RAM range that memory_map reports. */
export const DOMAIN_MEMORY_MAP_PAGES = 0x10100c;
/** u32: host pointer of the shared_info page. */
export const DOMAIN_SHARED_INFO = 0x101010;
/** u32 lock words. Order when several are taken: memory (CONTROL_MM_LOCK), then event, then grant. */
export const DOMAIN_EVENT_LOCK = 0x101014;
export const DOMAIN_GRANT_LOCK = 0x101018;
/** u32: grant table frames in use, their ceiling, and the frame index of the first. */
export const DOMAIN_GRANT_FRAMES = 0x10101c;
export const DOMAIN_GRANT_FRAMES_MAX = 0x101020;
export const DOMAIN_GRANT_FIRST_FRAME = 0x101024;
/** u32, atomic: 0 = alive, else 1 + SHUTDOWN_* reason. */
export const DOMAIN_SHUTDOWN = 0x101028;
/** u32, atomic: while not 0 no vCPU runs. */
export const DOMAIN_PAUSED = 0x10102c;
/** u32: frame index where the search for a free frame goes on. */
export const DOMAIN_FREE_CURSOR = 0x101030;
/** u32, atomic: bit n = the guest wants vCPU n running; dom0 starts a thread for it. */
export const DOMAIN_VCPUS_WANTED = 0x101034;
/** u64: VMASST_TYPE_* bits enabled. */
export const DOMAIN_VM_ASSIST = 0x101038;
/** 16 bytes: UUID. */
export const DOMAIN_HANDLE = 0x101040;
/** u32, atomic: counted up and notified when DOMAIN_EVENTS, DOMAIN_VCPUS_WANTED or DOMAIN_SHUTDOWN has news for dom0. */
export const DOMAIN_DOORBELL = 0x101050;
/** u32 each: why the domain crashed (CRASH_*), on which vCPU; u64 a number that explains it. */
export const DOMAIN_CRASH_CODE = 0x101054;
export const DOMAIN_CRASH_VCPU = 0x101058;
export const DOMAIN_CRASH_DETAIL = 0x101060;
/** u64: machine frame of start_info, third argument of the suspend call. */
export const DOMAIN_SUSPEND_MFN = 0x101068;
/** i64[2] ns: watchdog deadlines, 0 = off. */
export const DOMAIN_WATCHDOGS = 0x101070;
/** u32 lock word of DOMAIN_CONTEXT, taken before the memory lock. */
export const DOMAIN_CONTEXT_LOCK = 0x101080;
/** u32: 1 = console_io writes of the guest are taken into the hypervisor's log, as a debug build of Xen does. */
export const DOMAIN_VERBOSE = 0x101084;
/** u32, atomic: the last selector of 32-bit code that was refused, 0 = none so far. Setting the first rings dom0. */
export const DOMAIN_REFUSED_CODE = 0x101088;
/** u64[64], atomic: local ports of this domain on which the guest has notified dom0; dom0 takes words with an exchange. */
export const DOMAIN_EVENTS = 0x101100;
export const DOMAIN_EVENTS_WORDS = 64;
/** Texts of xen_version, zero-padded. */
export const DOMAIN_EXTRAVERSION = 0x101300;
export const DOMAIN_CHANGESET = 0x101310;
export const DOMAIN_COMPILE_INFO = 0x101380;
export const DOMAIN_CAPABILITIES = 0x101800;
/** u32: (major << 16) | minor. */
export const DOMAIN_VERSION = 0x101360;
/** 8 KiB: a vcpu_guest_context being applied or read. */
export const DOMAIN_CONTEXT = 0x104000;
/** u32: vCPUs that may run at once; 0 = no limit. */
export const DOMAIN_PROCESSORS = 0x106000;
/** u32 lock word of the queue for processors, on a line of its own, as what it guards: u32 each. */
export const DOMAIN_PROCESSOR_LOCK = 0x106040;
/** Bit n = processor n is free. */
export const DOMAIN_FREE_PROCESSORS = 0x106080;
/** vCPU that was given a processor last; urgent ones given one since a common one was. */
export const DOMAIN_LAST_QUEUED = 0x106084;
export const DOMAIN_URGENT_IN_A_ROW = 0x106088;
/** Atomic: bit n = vCPU n has news and goes first if it is queued. */
export const DOMAIN_URGENT_VCPUS = 0x1060c0;
/** 512 bytes: console output being copied, one buffer a vCPU. */
export const DOMAIN_CONSOLE_BUFFERS = 0x108000;
export const CONSOLE_BUFFER_BYTES = 512;
/** Event channels by port, CHANNEL_BYTES each. */
export const DOMAIN_CHANNELS = 0x110000;
export const CHANNEL_BYTES = 16;
/** u32, atomic: CHANNEL_*. */
export const CHANNEL_STATE = 0;
/** u32: vCPU that is notified. */
export const CHANNEL_VCPU = 4;
/** u32: remote domain of unbound and interdomain channels; virtual interrupt number of virq ones. */
export const CHANNEL_REMOTE = 8;
/** u32: port at the remote end. For domain 0 this number names the binding, is never used twice and 0 means none. */
export const CHANNEL_REMOTE_PORT = 12;
export const CHANNEL_FREE = 0;
export const CHANNEL_RESERVED = 1;
export const CHANNEL_UNBOUND = 2;
export const CHANNEL_INTERDOMAIN = 3;
export const CHANNEL_VIRQ = 5;
export const CHANNEL_IPI = 6;

// ---- frame records as the hypervisor uses them ----------------------------------------------------------------------------
/** FRAME_TYPE: type in bits 29-31, then the bits below, count of uses of the type in the rest. */
export const TYPE_SHIFT = 29;
export const TYPE_NONE = 0;
export const TYPE_L1 = 1;
export const TYPE_L2 = 2;
export const TYPE_L3 = 3;
export const TYPE_L4 = 4;
export const TYPE_DESCRIPTORS = 5;
export const TYPE_WRITABLE = 7;
/** The toolstack or guest holds the type (MMUEXT_PIN_*). */
export const TYPE_PINNED = 0x10000000;
/** The contents have been checked for the type. */
export const TYPE_VALIDATED = 0x08000000;
export const TYPE_COUNT = 0x03ffffff;
/** FRAME_REFERENCES: the domain still has the frame in its reservation (this is one reference); references in the rest. */
export const REFERENCES_ALLOCATED = 0x40000000;
export const REFERENCES_COUNT = 0x03ffffff;

// ---- why a domain was crashed by the hypervisor -----------------------------------------------------------------------------
/** No handler for an exception; detail = vector. */
export const CRASH_NO_HANDLER = 1;
/** The stack for an exception or event cannot be written; detail = stack pointer. */
export const CRASH_BAD_STACK = 2;
/** The frame of an iret hypercall cannot be read; detail = its address. */
export const CRASH_BAD_IRET_FRAME = 3;
/** Return to user mode without user page tables. */
export const CRASH_NO_USER_TABLES = 4;
/** Failsafe callback needed and not registered; detail = address that cannot be gone to. */
export const CRASH_NO_FAILSAFE = 5;
/** The guest asked for it: SHUTDOWN_crash. */
export const CRASH_BY_GUEST = 6;
/** The core failed: a defect of the hypervisor, not of the guest. */
export const CRASH_CORE_FAILURE = 7;
