/** Which machine the address names, and where it keeps its disks: chosen by the address once, remembered for the machine. */
import { DEFAULT_MACHINE, type MachineStorage } from '../../workers/protocol.ts';

type Kept = Exclude<MachineStorage['kind'], 'memory'>;

const isKept = (text: string | null): text is Kept => text === 'indexeddb' || text === 'opfs';

/** Letters, digits, `-` and `_`, up to 32. */
export const isMachineName = (name: string): boolean => /^[A-Za-z0-9_-]{1,32}$/.test(name);

/** `?machine=NAME`; anything that cannot be one is the default one. */
export function machineName(parameters: URLSearchParams): string {
  const name = parameters.get('machine') ?? '';
  return isMachineName(name) ? name : DEFAULT_MACHINE;
}

const keyOf = (machine: string): string => `webxen-storage-${machine}`;

/** From now on the machine's disks are there. */
export function rememberStorage({ machine, kind }: MachineStorage, memory: Pick<Storage, 'setItem'>): void {
  memory.setItem(keyOf(machine), kind);
}

/** `?storage=indexeddb` or `?storage=opfs`; without it what the machine had before, the database for a new one. */
export function keptStorage(parameters: URLSearchParams, memory: Pick<Storage, 'getItem' | 'setItem'>): MachineStorage {
  const machine = machineName(parameters);
  const key = keyOf(machine);
  const asked = parameters.get('storage');
  const before = memory.getItem(key);
  const kind = isKept(asked) ? asked : isKept(before) ? before : 'indexeddb';
  memory.setItem(key, kind);
  return { machine, kind };
}
