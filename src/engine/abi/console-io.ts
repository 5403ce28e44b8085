/**
 * The page a domain shares with the console daemon: two byte rings with free-running u32 indices.
 * `in` carries keystrokes to the domain, `out` what it prints. The domain writes out, out_prod and in_cons; the daemon the rest.
 * @see xen/include/public/io/console.h, struct xencons_interface
 */

export const XENCONS_IN = 0x000;
export const XENCONS_IN_SIZE = 1024;
export const XENCONS_OUT = 0x400;
export const XENCONS_OUT_SIZE = 2048;
export const XENCONS_IN_CONS = 0xc00;
export const XENCONS_IN_PROD = 0xc04;
export const XENCONS_OUT_CONS = 0xc08;
export const XENCONS_OUT_PROD = 0xc0c;
