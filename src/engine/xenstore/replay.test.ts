/** Every message a real domU exchanged with a real xenstored, played against this one. */
import { describe, expect, it } from 'vitest';
import { XS_TYPE_NAMES } from '../abi/xs-wire.ts';
import { formatTree } from './format.ts';
import { XenstoreServer } from './server.ts';
import { GuestStore, ManualScheduler, describe as describeMessage } from './testing/guest-store.ts';
import type { RecordedNode } from './testing/recorded-tree.ts';
import { parseRecordedTree, plantRecordedTree, readRecording } from './testing/recorded-tree.ts';

/** Nodes that only come to be while the recording runs. */
const WRITTEN_LATER = [
  /^\/local\/domain\/\d\/device\/vbd\/51712\/(multi-queue-num-queues|queue-.*|feature-persistent)$/,
  /^\/local\/domain\/\d\/device\/vif\/0\/(xdp-headroom|multi-queue-num-queues|queue-.*|request-rx-copy|feature-.*)$/,
  /^\/local\/domain\/0\/backend\/vbd\/\d\/51712\/(feature-(flush-cache|discard|barrier|persistent)|discard-(granularity|alignment|secure))$/,
  /^\/local\/domain\/0\/backend\/vbd\/\d\/51712\/(sectors|info|sector-size|physical-sector-size)$/,
];

/** What nodes hold before the guest has run: the recording shows the tree with everything connected. */
const EARLIER_VALUES: readonly [RegExp, string][] = [
  [/^\/local\/domain\/[12]\/device\/(vbd|vif)\/\d+\/state$/, '1'],
  [/^\/local\/domain\/0\/backend\/(vbd|vif)\/\d\/\d+\/state$/, '2'],
  [/^\/local\/domain\/[12]\/control\/feature-/, ''],
];

function beforeTheGuestRan(nodes: readonly RecordedNode[]): RecordedNode[] {
  return nodes
    .filter(({ path }) => !WRITTEN_LATER.some((pattern) => pattern.test(path)))
    .map((node) => ({ ...node, value: EARLIER_VALUES.find(([pattern]) => pattern.test(node.path))?.[1] ?? node.value }));
}

/** A recorded payload with its NULs back in place: WRITE has one, after the path; all others have only NUL-terminated strings. */
function payloadOf(type: string, recorded: string): string {
  return type === 'WRITE' ? recorded.replace(' ', '\0') : recorded.replaceAll(' ', '\0');
}

describe.each([
  { domid: 1, trace: 'trace-first-boot.txt', tree: 'tree-running.txt' },
  { domid: 2, trace: 'trace-restored.txt', tree: 'tree-restored.txt' },
])('the recording $trace', ({ domid, trace, tree }) => {
  it('is answered message by message as the real daemon did', () => {
    const scheduler = new ManualScheduler();
    const log: string[] = [];
    const server = new XenstoreServer({ schedule: scheduler.schedule, log: (line) => log.push(line) });
    const dom0 = server.connect();
    plantRecordedTree(dom0, beforeTheGuestRan(parseRecordedTree(readRecording(tree))));
    const guest = new GuestStore();
    server.introduce(domid, guest.ring);

    const expected: string[] = [];
    const seen: string[] = [];
    let requests = 0;
    let treesCompared = 0;
    for (const line of readRecording(trace).split('\n')) {
      const [kind = '', ...words] = line.split(' ');
      const message = /^\S+ (?:(\d+) )?(\w+) \((.*)\)$/.exec(line);
      if (kind === 'IN') {
        const type = message![2]!;
        requests++;
        guest.send(XS_TYPE_NAMES.indexOf(type), payloadOf(type, message![3]!), Number(message![1]));
      } else if (kind === 'OUT') {
        expected.push(`${message![2]!} (${message![3]!})`);
      } else if (kind === 'DOM0') {
        if (words[0] === 'write') dom0.write(words[1]!, words[2] ?? '');
        else expect(dom0.remove(words[1]!)).toBe(true);
        scheduler.run();
      } else if (kind === 'TREE') {
        expect(formatTree(dom0, '/', { fullPaths: true, permissions: true })).toBe(readRecording(words[0]!));
        treesCompared++;
      }
      seen.push(...guest.receive().map(describeMessage));
    }
    expect(requests).toBeGreaterThan(130);
    expect(treesCompared).toBe(1);
    expect(seen).toEqual(expected);
    expect(log).toEqual([]);
  });
});
