/** memory_op. @see xen/include/public/memory.h */
export const XENMEM_increase_reservation = 0;
export const XENMEM_decrease_reservation = 1;
export const XENMEM_maximum_ram_page = 2;
export const XENMEM_current_reservation = 3;
export const XENMEM_maximum_reservation = 4;
export const XENMEM_machphys_mfn_list = 5;
export const XENMEM_populate_physmap = 6;
export const XENMEM_add_to_physmap = 7;
export const XENMEM_memory_map = 9;
export const XENMEM_machine_memory_map = 10;
export const XENMEM_exchange = 11;
export const XENMEM_machphys_mapping = 12;
export const XENMEM_set_memory_map = 13;
export const XENMEM_remove_from_physmap = 15;
export const XENMEM_machphys_compat_mfn_list = 25;

/** struct xen_memory_reservation: u64 extent_start, u64 nr_extents, u32 extent_order, u32 mem_flags, u16 domid. */
export const MEMORY_RESERVATION_BYTES = 32;
export const MEMORY_RESERVATION_nr_extents = 8;
export const MEMORY_RESERVATION_extent_order = 16;
export const MEMORY_RESERVATION_domid = 24;
/** struct xen_memory_exchange: two reservations and a count. */
export const MEMORY_EXCHANGE_BYTES = 72;
export const MEMORY_EXCHANGE_out = 32;
export const MEMORY_EXCHANGE_nr_exchanged = 64;
/** One E820 entry: u64 addr, u64 size, u32 type. */
export const E820_ENTRY_BYTES = 20;
export const E820_RAM = 1;
