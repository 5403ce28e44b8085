/** xen_version and feature bits. @see xen/include/public/version.h, xen/include/public/features.h */
export const XENVER_version = 0;
export const XENVER_extraversion = 1;
export const XENVER_compile_info = 2;
export const XENVER_capabilities = 3;
export const XENVER_changeset = 4;
export const XENVER_platform_parameters = 5;
export const XENVER_get_features = 6;
export const XENVER_pagesize = 7;
export const XENVER_guest_handle = 8;
export const XENVER_commandline = 9;
export const XENVER_build_id = 10;

export const EXTRAVERSION_BYTES = 16;
/** char compiler[64], compile_by[16], compile_domain[32], compile_date[32]. */
export const COMPILE_INFO_BYTES = 144;
export const CAPABILITIES_BYTES = 1024;
export const CHANGESET_BYTES = 64;

export const XENFEAT_writable_page_tables = 0;
export const XENFEAT_writable_descriptor_tables = 1;
export const XENFEAT_auto_translated_physmap = 2;
export const XENFEAT_supervisor_mode_kernel = 3;
export const XENFEAT_pae_pgdir_above_4gb = 4;
export const XENFEAT_mmu_pt_update_preserve_ad = 5;
export const XENFEAT_highmem_assist = 6;
export const XENFEAT_gnttab_map_avail_bits = 7;
export const XENFEAT_memory_op_vnode_supported = 13;
export const XENFEAT_direct_mapped = 17;
