/**
 * XenStore's wire protocol and the page a domain shares with xenstored: message types, header, error names, limits, ring layout.
 * @see xen/include/public/io/xs_wire.h and docs/misc/xenstore.txt, docs/misc/xenstore-ring.txt of the Xen tree.
 */

export const XS_CONTROL = 0;
export const XS_DIRECTORY = 1;
export const XS_READ = 2;
export const XS_GET_PERMS = 3;
export const XS_WATCH = 4;
export const XS_UNWATCH = 5;
export const XS_TRANSACTION_START = 6;
export const XS_TRANSACTION_END = 7;
export const XS_INTRODUCE = 8;
export const XS_RELEASE = 9;
export const XS_GET_DOMAIN_PATH = 10;
export const XS_WRITE = 11;
export const XS_MKDIR = 12;
export const XS_RM = 13;
export const XS_SET_PERMS = 14;
export const XS_WATCH_EVENT = 15;
export const XS_ERROR = 16;
export const XS_IS_DOMAIN_INTRODUCED = 17;
export const XS_RESUME = 18;
export const XS_SET_TARGET = 19;
/** 20 was XS_RESTRICT, withdrawn from the protocol. */
export const XS_RESET_WATCHES = 21;
export const XS_DIRECTORY_PART = 22;
export const XS_TYPE_COUNT = 23;

/** Names as xenstored's access log prints them, by message type. */
export const XS_TYPE_NAMES: readonly (string | undefined)[] = [
  'CONTROL',
  'DIRECTORY',
  'READ',
  'GET_PERMS',
  'WATCH',
  'UNWATCH',
  'TRANSACTION_START',
  'TRANSACTION_END',
  'INTRODUCE',
  'RELEASE',
  'GET_DOMAIN_PATH',
  'WRITE',
  'MKDIR',
  'RM',
  'SET_PERMS',
  'WATCH_EVENT',
  'ERROR',
  'IS_DOMAIN_INTRODUCED',
  'RESUME',
  'SET_TARGET',
  undefined,
  'RESET_WATCHES',
  'DIRECTORY_PART',
];

/** The errors that can travel in an ERROR message; the name itself is sent. */
export const XSD_ERRORS = [
  'EINVAL',
  'EACCES',
  'EEXIST',
  'EISDIR',
  'ENOENT',
  'ENOMEM',
  'ENOSPC',
  'EIO',
  'ENOTEMPTY',
  'ENOSYS',
  'EROFS',
  'EBUSY',
  'EAGAIN',
  'EISCONN',
  'E2BIG',
  'EPERM',
] as const;
export type XsdError = (typeof XSD_ERRORS)[number];

/** struct xsd_sockmsg: four little-endian u32, then `len` bytes. */
export const XSD_SOCKMSG_TYPE = 0;
export const XSD_SOCKMSG_REQ_ID = 4;
export const XSD_SOCKMSG_TX_ID = 8;
export const XSD_SOCKMSG_LEN = 12;
export const XSD_SOCKMSG_BYTES = 16;

export const XENSTORE_PAYLOAD_MAX = 4096;
export const XENSTORE_ABS_PATH_MAX = 3072;
export const XENSTORE_REL_PATH_MAX = 2048;

/**
 * struct xenstore_domain_interface, byte offsets in the shared page. The domain writes req, req_prod, rsp_cons and sets
 * connection to XENSTORE_RECONNECT; xenstored writes the rest. Indices are free-running u32, taken modulo the ring's size.
 */
export const XENSTORE_RING_SIZE = 1024;
export const XENSTORE_REQ = 0x000;
export const XENSTORE_RSP = 0x400;
export const XENSTORE_REQ_CONS = 0x800;
export const XENSTORE_REQ_PROD = 0x804;
export const XENSTORE_RSP_CONS = 0x808;
export const XENSTORE_RSP_PROD = 0x80c;
export const XENSTORE_SERVER_FEATURES = 0x810;
export const XENSTORE_CONNECTION = 0x814;
export const XENSTORE_ERROR = 0x818;

export const XENSTORE_SERVER_FEATURE_RECONNECTION = 1;
export const XENSTORE_SERVER_FEATURE_ERROR = 2;

export const XENSTORE_CONNECTED = 0;
export const XENSTORE_RECONNECT = 1;

export const XENSTORE_ERROR_NONE = 0;
export const XENSTORE_ERROR_COMM = 1;
export const XENSTORE_ERROR_RINGIDX = 2;
export const XENSTORE_ERROR_PROTO = 3;
