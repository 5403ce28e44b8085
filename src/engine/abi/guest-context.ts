/**
 * Register state of a vCPU as tools and VCPUOP_initialise see it, trap tables, the iret frame and the flat selectors.
 * @see xen/include/public/arch-x86/xen.h "struct vcpu_guest_context", arch-x86/xen-x86_64.h
 */
export const GUEST_CONTEXT_BYTES = 5168;
export const GUEST_CONTEXT_fpu_ctxt = 0;
export const GUEST_CONTEXT_flags = 512;
export const GUEST_CONTEXT_user_regs = 520;
export const GUEST_CONTEXT_trap_ctxt = 720;
export const GUEST_CONTEXT_ldt_base = 4816;
export const GUEST_CONTEXT_ldt_ents = 4824;
export const GUEST_CONTEXT_gdt_frames = 4832;
export const GUEST_CONTEXT_gdt_ents = 4960;
export const GUEST_CONTEXT_kernel_ss = 4968;
export const GUEST_CONTEXT_kernel_sp = 4976;
export const GUEST_CONTEXT_ctrlreg = 4984;
export const GUEST_CONTEXT_debugreg = 5048;
export const GUEST_CONTEXT_event_callback_eip = 5112;
export const GUEST_CONTEXT_failsafe_callback_eip = 5120;
export const GUEST_CONTEXT_syscall_callback_eip = 5128;
export const GUEST_CONTEXT_vm_assist = 5136;
export const GUEST_CONTEXT_fs_base = 5144;
export const GUEST_CONTEXT_gs_base_kernel = 5152;
export const GUEST_CONTEXT_gs_base_user = 5160;

export const VGCF_i387_valid = 1;
export const VGCF_in_kernel = 4;
export const VGCF_failsafe_disables_events = 8;
export const VGCF_syscall_disables_events = 16;
export const VGCF_online = 32;
/** In the flags word of an iret frame: return as SYSRET would. */
export const VGCF_in_syscall = 256;

/** struct cpu_user_regs. */
export const USER_REGS_BYTES = 200;
export const USER_REGS_r15 = 0;
export const USER_REGS_r14 = 8;
export const USER_REGS_r13 = 16;
export const USER_REGS_r12 = 24;
export const USER_REGS_rbp = 32;
export const USER_REGS_rbx = 40;
export const USER_REGS_r11 = 48;
export const USER_REGS_r10 = 56;
export const USER_REGS_r9 = 64;
export const USER_REGS_r8 = 72;
export const USER_REGS_rax = 80;
export const USER_REGS_rcx = 88;
export const USER_REGS_rdx = 96;
export const USER_REGS_rsi = 104;
export const USER_REGS_rdi = 112;
export const USER_REGS_error_code = 120;
export const USER_REGS_entry_vector = 124;
export const USER_REGS_rip = 128;
export const USER_REGS_cs = 136;
export const USER_REGS_saved_upcall_mask = 140;
export const USER_REGS_rflags = 144;
export const USER_REGS_rsp = 152;
export const USER_REGS_ss = 160;
export const USER_REGS_es = 168;
export const USER_REGS_ds = 176;
export const USER_REGS_fs = 184;
export const USER_REGS_gs = 192;

/** trap_info: u8 vector, u8 flags (bits 0-1 DPL, bit 2 masks events), u16 cs, u64 address at 8. */
export const TRAP_INFO_BYTES = 16;
export const TRAP_INFO_flags = 1;
export const TRAP_INFO_cs = 2;
export const TRAP_INFO_address = 8;

/** struct iret_context, at RSP. */
export const IRET_BYTES = 72;
export const IRET_rax = 0;
export const IRET_r11 = 8;
export const IRET_rcx = 16;
export const IRET_flags = 24;
export const IRET_rip = 32;
export const IRET_cs = 40;
export const IRET_rflags = 48;
export const IRET_rsp = 56;
export const IRET_ss = 64;

/** The hypervisor's descriptors that every guest may use. */
export const FLAT_RING3_CS32 = 0xe023;
export const FLAT_RING3_CS64 = 0xe033;
export const FLAT_RING3_DS32 = 0xe02b;
export const FLAT_KERNEL_CS = 0xe033;
export const FLAT_KERNEL_SS = 0xe02b;
export const FLAT_USER_CS32 = 0xe023;
export const FIRST_RESERVED_GDT_PAGE = 14;
export const FIRST_RESERVED_GDT_ENTRY = 7168;
