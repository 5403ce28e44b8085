/** What the hypervisor says of itself to guests and to `xm info`. */
export interface XenVersion {
  readonly major: number;
  readonly minor: number;
  readonly extraVersion: string;
  readonly changeset: string;
  readonly capabilities: string;
  readonly compiler: string;
  readonly compileBy: string;
  readonly compileDomain: string;
  readonly compileDate: string;
}

/** The interface of Xen 4.17, which the guests' kernels know. */
export const XEN_VERSION: XenVersion = {
  major: 4,
  minor: 17,
  extraVersion: '.7-webxen',
  changeset: '',
  capabilities: 'xen-3.0-x86_64 ',
  compiler: 'asc (AssemblyScript)',
  compileBy: 'webxen',
  compileDomain: 'localhost',
  compileDate: '',
};
