/**
 * What a front end wrote into its directory of the store before it asked to be connected: the rings of each queue, their event
 * channels, the layout of entries, what else it makes use of. All of it guest-controlled, read once, bounded here.
 */
import { BLKIF_X86_32, BLKIF_X86_64, type BlkifLayout } from '../../abi/blkif.ts';
import type { StoreAccess } from '../../xenstore/client.ts';
import { BlkifViolation } from './block-request.ts';

export interface QueueParameters {
  /** Grants of the ring's pages in order: a power of two of them. */
  readonly ringRefs: readonly number[];
  readonly eventChannel: number;
}

export interface ConnectionParameters {
  readonly layout: BlkifLayout;
  readonly protocol: string;
  readonly persistentGrants: boolean;
  readonly queues: readonly QueueParameters[];
}

export interface ConnectionLimits {
  readonly maxRingPageOrder: number;
  readonly maxQueues: number;
}

const U32_MAX = 0xffffffff;

/** BlkifViolation naming the node that cannot be used. */
export function readConnectionParameters(store: StoreAccess, frontend: string, limits: ConnectionLimits): ConnectionParameters {
  const protocol = store.read(`${frontend}/protocol`) ?? 'x86_64-abi';
  const order = optionalNumber(store, `${frontend}/ring-page-order`, limits.maxRingPageOrder) ?? 0;
  const queues = optionalNumber(store, `${frontend}/multi-queue-num-queues`, limits.maxQueues);
  if (queues === 0) throw new BlkifViolation(`${frontend}/multi-queue-num-queues is 0`);
  return {
    layout: layoutOf(protocol),
    protocol,
    persistentGrants: optionalNumber(store, `${frontend}/feature-persistent`, 1) === 1,
    // A single queue may use either place.
    queues: Array.from({ length: queues ?? 1 }, (_, n) => {
      const nested = queues !== undefined && (queues > 1 || store.exists(`${frontend}/queue-${n}`));
      return readQueue(store, nested ? `${frontend}/queue-${n}` : frontend, order);
    }),
  };
}

function layoutOf(protocol: string): BlkifLayout {
  if (protocol === 'x86_64-abi') return BLKIF_X86_64;
  if (protocol === 'x86_32-abi') return BLKIF_X86_32;
  throw new BlkifViolation(`protocol ${protocol} is not supported`);
}

function readQueue(store: StoreAccess, path: string, order: number): QueueParameters {
  const pages = 2 ** order;
  const single = optionalNumber(store, `${path}/ring-ref`, U32_MAX);
  const ringRefs =
    order === 0 && single !== undefined
      ? [single]
      : Array.from({ length: pages }, (_, n) => requiredNumber(store, `${path}/ring-ref${n}`));
  return { ringRefs, eventChannel: requiredNumber(store, `${path}/event-channel`) };
}

function optionalNumber(store: StoreAccess, path: string, greatest: number): number | undefined {
  const text = store.read(path);
  if (text === undefined) return undefined;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Infinity;
  if (value > greatest) throw new BlkifViolation(`${path} is "${text.slice(0, 40)}": a number up to ${greatest} is expected`);
  return value;
}

function requiredNumber(store: StoreAccess, path: string): number {
  const value = optionalNumber(store, path, U32_MAX);
  if (value === undefined) throw new BlkifViolation(`${path} is missing`);
  return value;
}
