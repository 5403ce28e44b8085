/** What passes between dom0 and the thread of a vCPU: one message to start it; all else goes through the domain's memory. */

import type { ProfilePart } from '../../engine/jit/index.ts';
import type { TranslatorLink } from '../translator/messages.ts';

/** Whether hot guest code is translated: eager translates everything at once, for tests. */
export type TranslatorSetting = 'on' | 'off' | 'eager';

/** The setting that the hypervisor's command line asks for by `translator=on|off|eager`; 'on' when it says nothing. */
export function translatorSetting(commandLine: string): TranslatorSetting {
  const word = /(?:^|\s)translator=(on|off|eager)(?=\s|$)/.exec(commandLine)?.[1];
  return word === 'off' || word === 'eager' ? word : 'on';
}

/** Whether the hypervisor's command line asks for a profile of the guests' code by `profile`. */
export function profileWanted(commandLine: string): boolean {
  return /(?:^|\s)profile(?=\s|$)/.test(commandLine);
}

export interface StartVcpu {
  readonly domid: number;
  readonly vcpu: number;
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  readonly powerOnMs: number;
  readonly translator: TranslatorSetting;
  /** To the thread that compiles regions; without, the vCPU's own does. */
  readonly link: TranslatorLink | undefined;
  readonly profile: boolean;
}

export type VcpuNews =
  /** Bytes of the guest's emergency console. */
  | { readonly kind: 'console'; readonly bytes: Uint8Array }
  /** What a profile gathered since the last such message. */
  | { readonly kind: 'profile'; readonly part: ProfilePart }
  /** The core trapped: a defect of ours. */
  | { readonly kind: 'failure'; readonly text: string };
