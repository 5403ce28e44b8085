/**
 * The page a PV domain finds its world by: written by the domain builder (and again at resume), read by the guest.
 * Offsets in bytes for x86-64; widths in the comments.
 * @see xen/include/public/xen.h "struct start_info"
 */
export const START_INFO_BYTES = 0x490;
/** char[32], NUL padded. */
export const START_INFO_magic = 0x00;
export const START_INFO_MAGIC_BYTES = 32;
/** u64 pages of the domain. */
export const START_INFO_nr_pages = 0x20;
/** u64 machine byte address of the shared_info frame. */
export const START_INFO_shared_info = 0x28;
/** u32 SIF_*. */
export const START_INFO_flags = 0x30;
/** u64 mfn of the xenstore ring page; u32 local port of its channel. */
export const START_INFO_store_mfn = 0x38;
export const START_INFO_store_evtchn = 0x40;
/** u64 mfn of the console ring page; u32 local port of its channel. */
export const START_INFO_console_mfn = 0x48;
export const START_INFO_console_evtchn = 0x50;
/** u64 virtual address of the bootstrap L4. */
export const START_INFO_pt_base = 0x58;
/** u64 frames of the bootstrap page tables, without those that map a P2M of its own. */
export const START_INFO_nr_pt_frames = 0x60;
/** u64 virtual address of the P2M list. */
export const START_INFO_mfn_list = 0x68;
/** u64 virtual address of the ramdisk, or its pfn with SIF_MOD_START_PFN; u64 its bytes. */
export const START_INFO_mod_start = 0x70;
export const START_INFO_mod_len = 0x78;
/** char[1024], NUL terminated. */
export const START_INFO_cmd_line = 0x80;
export const MAX_GUEST_CMDLINE = 1024;
/** u64 each: the frames of a P2M mapped outside the kernel's mapping, its page tables among them. */
export const START_INFO_first_p2m_pfn = 0x480;
export const START_INFO_nr_p2m_frames = 0x488;

export const SIF_PRIVILEGED = 1;
export const SIF_INITDOMAIN = 2;
export const SIF_MULTIBOOT_MOD = 4;
export const SIF_MOD_START_PFN = 8;
export const SIF_VIRT_P2M_4TOOLS = 16;
