/**
 * The CONTROL request (xenstore-control): commands to the daemon itself, for domain 0.
 */
import { StoreError } from './error.ts';
import { childPath } from './path.ts';
import type { Accounts, Account, Quotas } from './quota.ts';
import type { Tree } from './tree.ts';
import { INTRODUCE_DOMAIN, RELEASE_DOMAIN, nodeBytes } from './tree.ts';

export interface ControlHost {
  readonly tree: Tree;
  readonly accounts: Accounts;
  log(line: string): void;
  /** Turns the access log, one line a message, on or off. */
  setTracing(on: boolean): void;
}

type Command = (host: ControlHost, parameters: readonly string[]) => string;

const ACCOUNT_LINES: readonly [keyof Quotas, string, keyof Account][] = [
  ['nodes', 'nodes', 'nodes'],
  ['watches', 'watches', 'watches'],
  ['outstanding', 'outstanding', 'outstanding'],
  ['memoryBytes', 'memory', 'memoryBytes'],
  ['transactions', 'transactions', 'transactions'],
];

const LIMIT_LINES: readonly [keyof Quotas, string][] = [
  ['transactionNodes', 'transaction-nodes'],
  ['permissions', 'node-permissions'],
  ['pathBytes', 'path-max'],
  ['nodeBytes', 'node-size'],
];

const row = (name: string, value: number): string => `${name.padEnd(17)}: ${String(value).padStart(8)}\n`;

/** Problems found in the tree, in words; none in a sound one. */
export function treeProblems(tree: Tree): string[] {
  const problems: string[] = [];
  const reachable = new Set<string>([INTRODUCE_DOMAIN, RELEASE_DOMAIN]);
  const walk = (path: string): void => {
    const node = tree.get(path);
    if (node === undefined) {
      problems.push(`${path} is listed by its parent but does not exist`);
      return;
    }
    if (reachable.has(path)) problems.push(`${path} is listed twice`);
    reachable.add(path);
    for (const name of node.children) walk(childPath(path, name));
  };
  walk('/');
  for (const [path] of tree.entries()) if (!reachable.has(path)) problems.push(`${path} cannot be reached from the root`);
  return problems;
}

function check(host: ControlHost): string {
  for (const problem of treeProblems(host.tree)) host.log(`xenstored: check: ${problem}`);
  return 'OK';
}

function quota(host: ControlHost, [domain]: readonly string[]): string {
  const { quotas } = host.accounts;
  if (domain === undefined) {
    const rows = [...ACCOUNT_LINES, ...LIMIT_LINES].map(([key, name]) => row(name, quotas[key]));
    return `Quota limits of one domain:\n${rows.join('')}`;
  }
  const domid = Number(domain);
  if (!host.accounts.domids().includes(domid)) throw new StoreError('ENOENT', `domain ${domain} uses nothing of the store`);
  const account = host.accounts.of(domid);
  return `Domain ${domid}:\n${ACCOUNT_LINES.map(([, name, key]) => row(name, account[key])).join('')}`;
}

function memreport(host: ControlHost): string {
  let nodes = 0;
  let bytes = 0;
  for (const [path, node] of host.tree.entries()) {
    nodes++;
    bytes += path.length + nodeBytes(node);
  }
  host.log(`xenstored: ${nodes} nodes, ${bytes} bytes`);
  for (const domid of host.accounts.domids()) {
    host.log(`xenstored: domain ${domid}: ${host.accounts.of(domid).memoryBytes} bytes`);
  }
  return 'OK';
}

function log(host: ControlHost, [state]: readonly string[]): string {
  if (state !== 'on' && state !== 'off') throw new StoreError('EINVAL', 'log takes on or off');
  host.setTracing(state === 'on');
  return 'OK';
}

function print(host: ControlHost, parameters: readonly string[]): string {
  host.log(`xenstored: ${parameters.join(' ')}`);
  return 'OK';
}

const COMMANDS = new Map<string, { readonly usage: string; readonly run: Command }>([
  ['check', { usage: '', run: check }],
  ['help', { usage: '', run: help }],
  ['log', { usage: 'on|off', run: log }],
  ['memreport', { usage: '', run: memreport }],
  ['print', { usage: '<string>', run: print }],
  ['quota', { usage: '[<domid>]', run: quota }],
]);

function help(): string {
  return [...COMMANDS].map(([name, { usage }]) => `${name.padEnd(15)} ${usage}`.trimEnd()).join('\n');
}

/** The answer to a command and its parameters. EINVAL for one that there is not. */
export function runControlCommand(host: ControlHost, words: readonly string[]): string {
  const [name, ...parameters] = words;
  const command = COMMANDS.get(name ?? '');
  if (command === undefined) throw new StoreError('EINVAL', `there is no control command "${name ?? ''}"; try help`);
  return command.run(host, parameters);
}
