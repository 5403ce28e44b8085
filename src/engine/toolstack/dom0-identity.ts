/** What uname tells of domain 0. It is no Linux: the worker itself plays the part. */
export const DOM0_IDENTITY = {
  system: 'webxen',
  release: '0.1.0-xen0',
  version: '#1 SMP',
  machine: 'x86_64',
} as const;

export const DEFAULT_HOST_NAME = 'dom0';
