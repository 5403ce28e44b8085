/**
 * `npm run bench -- --profile NAME`: where the time of one program, or of a boot, goes, by functions of the guest and by translated regions, with
 * what of it was interpreted, and what made the virtual CPU leave the guest. A text for reading and JSON for scripts.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { siteImage } from '../e2e/support/site-images.ts';
import type { Machine } from '../e2e/support/machine.ts';
import type { ProfilePart } from '../src/engine/jit/code-profile.ts';
import {
  EXIT_BLOCK,
  EXIT_BUDGET,
  EXIT_CRASH,
  EXIT_EXCEPTION,
  EXIT_OFFLINE,
  EXIT_REQUEST,
  EXIT_SHUTDOWN,
  EXIT_YIELD,
} from '../src/engine/cpu/layout.ts';
import { table } from './report.ts';
import { addressText, elfSymbols, guestSymbols, kernelSymbols, type Symbols } from './symbols.ts';
import type { Guest } from './guest.ts';

const FOLDER = 'build/bench';
const LIMIT_MS = 300_000;
/** A virtual CPU tells what it gathered a few times a second. */
const SETTLE_MS = 400;
const ROWS = 40;

const EXIT_NAMES: Readonly<Record<number, string>> = {
  [EXIT_BUDGET]: 'end of a slice',
  [EXIT_REQUEST]: 'request',
  [EXIT_BLOCK]: 'block',
  [EXIT_YIELD]: 'yield',
  [EXIT_SHUTDOWN]: 'shutdown',
  [EXIT_CRASH]: 'crash',
  [EXIT_EXCEPTION]: 'exception',
  [EXIT_OFFLINE]: 'offline',
};

export interface ProfiledFunction {
  readonly name: string;
  readonly address: string;
  seconds: number;
  samples: number;
  interpreted: number;
  translated: number;
}

export interface ProfiledRegion {
  readonly entry: string;
  readonly name: string;
  readonly instructions: number;
  /** Times it was made. */
  made: number;
  seconds: number;
  samples: number;
}

export interface Profile {
  readonly program: string;
  readonly seconds: number;
  readonly interpreted: number;
  readonly translated: number;
  readonly functions: readonly ProfiledFunction[];
  readonly regions: readonly ProfiledRegion[];
  readonly exits: Readonly<Record<string, number>>;
  /** Of the virtual CPU's counters: faults, hypercalls, events, TLB misses and so on. */
  readonly counters: Readonly<Record<string, number>>;
}

/** The kernel's list of its functions, from a running guest; kept beside the results. */
export async function kernelList(machine: Machine, domain: string): Promise<string> {
  const path = `${FOLDER}/kallsyms-${basename(siteImage('vmlinuz-cloud'))}`;
  if (existsSync(path)) return readFileSync(path, 'utf8');
  const { output } = await machine.guest(domain, `grep ' [tTwW] ' /proc/kallsyms | gzip -9 | base64`, LIMIT_MS);
  const text = gunzipSync(Buffer.from(output, 'base64')).toString('utf8');
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(path, text);
  return text;
}

type Counts = Record<string, number>;

async function countersOf(machine: Machine, domain: string): Promise<Counts> {
  const counts: Counts = {};
  for (const { exits, tlbMisses } of await machine.counters(domain)) {
    for (const [name, count] of [...Object.entries(exits), ['TLB miss', tlbMisses] as const])
      counts[name] = (counts[name] ?? 0) + count;
  }
  return counts;
}

/** From the start of a domain that is configured to its login; the page must have been opened with `?hypervisor=profile`. */
export async function profileBoot(machine: Machine, domain: string): Promise<Profile> {
  await machine.run(`xm create ${domain}`);
  await machine.waitFor(domain, 'login: ', LIMIT_MS);
  const part = await gathered(machine, domain);
  const counters = await countersOf(machine, domain);
  await machine.login(domain, LIMIT_MS);
  return summarise('boot', part, kernelSymbols(await kernelList(machine, domain)), counters);
}

/** What was gathered since it was asked for last. */
async function gathered(machine: Machine, domain: string): Promise<ProfilePart> {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  return machine.page.evaluate((name) => xen.profile(name), domain);
}

export interface ProfiledCommand {
  readonly name: string;
  readonly domain: string;
  readonly guest: Guest;
  readonly command: string;
  /** The program's file, for its symbols. */
  readonly file?: string;
}

/** Runs the command once to warm up and once for the profile; the page must have been opened with `?hypervisor=profile`. */
export async function profileCommand(machine: Machine, { name, domain, guest, command, file }: ProfiledCommand): Promise<Profile> {
  const kernel = kernelSymbols(await kernelList(machine, domain));
  await guest.run(command, LIMIT_MS);
  // Regions are mostly made in the first run.
  const warming = await gathered(machine, domain);
  const before = await countersOf(machine, domain);
  await guest.run(command, LIMIT_MS);
  const after = await countersOf(machine, domain);
  const part = await gathered(machine, domain);
  const symbols = file === undefined ? kernel : guestSymbols(kernel, elfSymbols(readFileSync(file)));
  const counters = Object.fromEntries(Object.entries(after).map(([counter, count]) => [counter, count - (before[counter] ?? 0)]));
  return summarise(name, { ...part, regions: [...warming.regions, ...part.regions] }, symbols, counters);
}

export function summarise(program: string, part: ProfilePart, symbols: Symbols, counters: Counts): Profile {
  const functions = new Map<string, ProfiledFunction>();
  for (const [address, samples, ns, interpreted, translated] of part.samples) {
    const known = symbols.nameOf(address);
    const name = known?.symbol ?? '?';
    const start = known === undefined ? address - (address % 4096) : address - known.offset;
    const key = `${name} ${start}`;
    const sum = functions.get(key) ?? { name, address: addressText(start), seconds: 0, samples: 0, interpreted: 0, translated: 0 };
    functions.set(key, sum);
    sum.seconds += ns / 1e9;
    sum.samples += samples;
    sum.interpreted += interpreted;
    sum.translated += translated;
  }
  const total = (field: 'seconds' | 'interpreted' | 'translated'): number =>
    [...functions.values()].reduce((sum, one) => sum + one[field], 0);
  return {
    program,
    seconds: total('seconds'),
    interpreted: total('interpreted'),
    translated: total('translated'),
    functions: [...functions.values()].sort((a, b) => b.seconds - a.seconds),
    regions: regionsOf(part, symbols),
    exits: Object.fromEntries(part.exits.map(([reason, count]) => [EXIT_NAMES[reason] ?? `reason ${reason}`, count])),
    counters,
  };
}

/** A sample belongs to the last region made that has the instruction. Regions of two programs at the same address are not told apart. */
function regionsOf(part: ProfilePart, symbols: Symbols): ProfiledRegion[] {
  const byEntry = new Map<number, { region: ProfiledRegion; stretches: readonly number[] }>();
  for (const [entry, instructions, ...stretches] of part.regions) {
    const known = symbols.nameOf(entry);
    const name = known === undefined ? '?' : `${known.symbol}+0x${known.offset.toString(16)}`;
    const made = (byEntry.get(entry)?.region.made ?? 0) + 1;
    byEntry.delete(entry);
    byEntry.set(entry, { region: { entry: addressText(entry), name, instructions, made, seconds: 0, samples: 0 }, stretches });
  }
  const lastFirst = [...byEntry.values()].reverse();
  for (const [address, samples, ns, interpreted, translated] of part.samples) {
    const found = lastFirst.find(({ stretches }) => liesIn(address, stretches));
    if (found === undefined || interpreted + translated === 0) continue;
    // Of a run that ended here only the translated part can have been the region's.
    found.region.seconds += (ns / 1e9) * (translated / (interpreted + translated));
    found.region.samples += samples;
  }
  return [...byEntry.values()].map(({ region }) => region).sort((a, b) => b.seconds - a.seconds);
}

/** Of starts and ends in turn, ascending. */
function liesIn(address: number, stretches: readonly number[]): boolean {
  return stretches.some((start, n) => n % 2 === 0 && start <= address && address < (stretches[n + 1] ?? start));
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '-' : `${((part / whole) * 100).toFixed(1)} %`;
}

export function profileText(profile: Profile): string {
  const { functions, regions, seconds, interpreted, translated, program } = profile;
  const retired = interpreted + translated;
  const lines = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .filter(([, count]) => count > 0)
      .sort(([, a], [, b]) => b - a)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  return [
    `${program}: ${seconds.toFixed(2)} s, ${(retired / 1e6).toFixed(0)} million instructions, ${(retired / seconds / 1e6).toFixed(0)} million a second, ` +
      `${percent(interpreted, retired)} of them interpreted`,
    table([
      ['function', 'address', 'seconds', 'of all', 'million a second', 'interpreted'],
      ...functions
        .slice(0, ROWS)
        .map((one) => [
          one.name,
          one.address,
          one.seconds.toFixed(3),
          percent(one.seconds, seconds),
          ((one.interpreted + one.translated) / one.seconds / 1e6).toFixed(0),
          percent(one.interpreted, one.interpreted + one.translated),
        ]),
    ]),
    table([
      ['translated region', 'entry', 'seconds', 'samples', 'instructions', 'made'],
      ...regions
        .slice(0, ROWS)
        .map((one) => [
          one.name,
          one.entry,
          one.seconds.toFixed(3),
          String(one.samples),
          String(one.instructions),
          String(one.made),
        ]),
    ]),
    `runs ended: ${lines(profile.exits)}`,
    `counted: ${lines(profile.counters)}`,
  ].join('\n\n');
}

/** Writes the profile as text and as JSON; the path of the text. */
export function keepProfile(profile: Profile): string {
  mkdirSync(FOLDER, { recursive: true });
  const path = `${FOLDER}/profile-${profile.program.replaceAll(/\W+/g, '-')}`;
  writeFileSync(`${path}.json`, `${JSON.stringify(profile, null, 1)}\n`);
  writeFileSync(`${path}.txt`, `${profileText(profile)}\n`);
  return `${path}.txt`;
}
