/**
 * The page shared by a domain and the hypervisor. Sizes and places for x86-64.
 * @see xen/include/public/xen.h "struct shared_info", xen/include/public/arch-x86/xen.h
 */
/** struct vcpu_info [both]. */
export const VCPU_INFO_BYTES = 64;
/** u8 [XEN sets, GST clears] */
export const VCPU_INFO_evtchn_upcall_pending = 0;
/** u8 [GST]; the hypervisor sets it when it delivers and by iret. */
export const VCPU_INFO_evtchn_upcall_mask = 1;
/** u64 [XEN sets bits, GST takes them] */
export const VCPU_INFO_evtchn_pending_sel = 8;
/** u64 [XEN] */
export const VCPU_INFO_arch_cr2 = 16;
/** struct vcpu_time_info [XEN] */
export const VCPU_INFO_time = 32;

export const VCPU_TIME_INFO_BYTES = 32;
export const VCPU_TIME_version = 0;
export const VCPU_TIME_tsc_timestamp = 8;
export const VCPU_TIME_system_time = 16;
export const VCPU_TIME_tsc_to_system_mul = 24;
export const VCPU_TIME_tsc_shift = 28;
export const VCPU_TIME_flags = 29;

export const XEN_LEGACY_MAX_VCPUS = 32;
export const SHARED_INFO_BYTES = 3136;
/** u64[64] [XEN sets bits, GST clears them] */
export const SHARED_INFO_evtchn_pending = 0x800;
/** u64[64] [GST] */
export const SHARED_INFO_evtchn_mask = 0xa00;
/** u32 each [XEN]: odd version = being written. */
export const SHARED_INFO_wc_version = 0xc00;
export const SHARED_INFO_wc_sec = 0xc04;
export const SHARED_INFO_wc_nsec = 0xc08;
export const SHARED_INFO_wc_sec_hi = 0xc0c;
/** u64 each [GST]: where the toolstack finds the P2M. */
export const SHARED_INFO_max_pfn = 0xc10;
export const SHARED_INFO_pfn_to_mfn_frame_list_list = 0xc18;
export const SHARED_INFO_nmi_reason = 0xc20;
export const SHARED_INFO_p2m_cr3 = 0xc28;
export const SHARED_INFO_p2m_vaddr = 0xc30;
export const SHARED_INFO_p2m_generation = 0xc38;
