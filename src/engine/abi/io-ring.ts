/**
 * The header of the shared rings of block and network devices: free-running u32 indices, then entries that are requests on the
 * way in and responses on the way out. The front end writes req_prod and rsp_event, the back end rsp_prod and req_event.
 * @see xen/include/public/io/ring.h, DEFINE_RING_TYPES
 */

export const RING_REQ_PROD = 0x00;
export const RING_REQ_EVENT = 0x04;
export const RING_RSP_PROD = 0x08;
export const RING_RSP_EVENT = 0x0c;
/** Private words and padding fill the header up to here; entries follow. */
export const RING_HEADER_BYTES = 0x40;
