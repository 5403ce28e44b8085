/** A booted guest that takes commands on its shell, whatever runs it. */

export interface CommandResult {
  readonly output: string;
  readonly exitCode: number;
}

/** Instructions that a guest has retired since its start, and by translated code of those. */
export interface Instructions {
  readonly retired: number;
  readonly translated: number;
}

export interface Guest {
  run(command: string, timeoutMs: number): Promise<CommandResult>;
  /** Processor time that all the host's threads of this machine have used, s. */
  cpuSeconds(): Promise<number>;
  instructions(): Promise<Instructions | undefined>;
}

/** Something that guests run on. */
export interface Runner {
  readonly name: RunnerName;
  /** A guest with the programs, logged in. The same one when asked again. */
  guest(kind: GuestKind): Promise<Guest>;
  close(): Promise<void>;
}

/** One or two processors and a small ramdisk; or one processor, and a ramdisk with programs of Debian. */
export type GuestKind = 'one' | 'two' | 'debian';

/** A runner's fixed properties of each kind of guest. */
export const GUEST_VCPUS: Readonly<Record<GuestKind, number>> = { one: 1, two: 2, debian: 1 };

export type RunnerName = 'webxen' | 'qemu' | 'v86';
