/** callback_op, set_segment_base, physdev_op, console_io. @see xen/include/public/callback.h, physdev.h, arch-x86/xen-x86_64.h */
export const CALLBACKOP_register = 0;
export const CALLBACKOP_unregister = 1;
export const CALLBACKTYPE_event = 0;
export const CALLBACKTYPE_failsafe = 1;
export const CALLBACKTYPE_syscall = 2;
export const CALLBACKTYPE_nmi = 4;
export const CALLBACKTYPE_sysenter = 5;
export const CALLBACKTYPE_syscall32 = 7;
export const CALLBACKF_mask_events = 1;

export const SEGBASE_FS = 0;
export const SEGBASE_GS_USER = 1;
export const SEGBASE_GS_KERNEL = 2;
export const SEGBASE_GS_USER_SEL = 3;

export const PHYSDEVOP_set_iopl = 6;
export const PHYSDEVOP_set_iobitmap = 7;

export const CONSOLEIO_write = 0;
export const CONSOLEIO_read = 1;

export const XENNMI_register_callback = 0;
export const XENNMI_unregister_callback = 1;
