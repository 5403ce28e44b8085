/** Reads recordings of `xenstore-ls -f -p` back into a store. */
import { readFileSync } from 'node:fs';
import type { StoreAccess } from '../client.ts';
import { parsePermissions } from '../permissions.ts';

export interface RecordedNode {
  readonly path: string;
  readonly value: string;
  readonly permissions: string;
}

export function readRecording(name: string): string {
  return readFileSync(new URL(name, import.meta.url), 'utf8');
}

export function parseRecordedTree(text: string): RecordedNode[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const match = /^(\S+) = "(.*)" {3}\((.*)\)$/.exec(line);
      if (match === null) throw new Error(`not a line of xenstore-ls -f -p: ${line}`);
      return { path: match[1]!, value: match[2]!, permissions: match[3]! };
    });
}

export function plantRecordedTree(access: StoreAccess, nodes: readonly RecordedNode[]): void {
  for (const { path, value, permissions } of nodes) {
    access.write(path, value);
    access.setPermissions(path, parsePermissions(permissions.split(',')));
  }
}
