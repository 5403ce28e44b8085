/** xm top: the live table of xentop. On a terminal it redraws until q is typed; with -b it prints screens one after another. */
import { parseOptions } from '../getopt.ts';
import { Interrupted, sleep } from '../services.ts';
import type { DomainSummary } from '../xend/domain-state.ts';
import { formatLogTime } from '../xend/xend-log.ts';
import { XendError } from '../xend-error.ts';
import type { XmCall, XmCommand } from './xm-command.ts';

const OPTIONS = [
  { name: 'delay', spellings: ['-d', '--delay'], takesValue: true },
  { name: 'batch', spellings: ['-b', '--batch'] },
  { name: 'iterations', spellings: ['-i', '--iterations'], takesValue: true },
  { name: 'vcpus', spellings: ['-v', '--vcpus'] },
];

const HEADER = '      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS NETS NETTX(k) NETRX(k) SSID';
const ENTER_SCREEN = '\x1b[?1049h\x1b[?25l';
const LEAVE_SCREEN = '\x1b[?25h\x1b[?1049l';

interface Sample {
  readonly timeMs: number;
  readonly cpuTimeNs: ReadonlyMap<number, number>;
}

export const top: XmCommand = {
  name: 'top',
  synopsis: ['top [-b] [-d <Seconds>] [-i <Times>] [-v]'],
  description: 'live resource monitor',
  async run(call) {
    const options = parseOptions(call.words, OPTIONS);
    const delayMs = positive(options.value('delay') ?? '3') * 1000;
    const iterations = options.has('iterations') ? positive(options.value('iterations') ?? '1') : Number.POSITIVE_INFINITY;
    const batch = options.has('batch');
    const { terminal } = call.io;
    if (!batch && terminal === undefined) throw new XendError(`${call.program} top needs a terminal; use -b -i 1 to print once.`);
    let showVcpus = options.has('vcpus');
    let quit = false;
    let wake: () => void = () => undefined;
    const readKeys = async (): Promise<void> => {
      for (;;) {
        const keys = await terminal?.read();
        if (quit) return;
        const text = keys === undefined ? 'q' : String.fromCharCode(...keys).toLowerCase();
        if (text.includes('q') || text === '\x1b' || text.includes('\x03')) quit = true;
        if (text.includes('v')) showVcpus = !showVcpus;
        wake();
        if (quit) return;
      }
    };
    if (!batch && terminal !== undefined) {
      terminal.write(ENTER_SCREEN);
      void readKeys();
    }
    try {
      let previous = takeSample(call);
      for (let round = 0; round < iterations && !quit; round++) {
        if (round > 0) {
          const keyed = new Promise<void>((resolve) => {
            wake = resolve;
          });
          await Promise.race([sleep(call.clock, delayMs, call.io.cancellation), keyed]);
        }
        const sample = takeSample(call);
        const screen = drawScreen(call, previous, sample, showVcpus);
        previous = sample;
        if (batch || terminal === undefined) call.io.out(`${screen.join('\n')}\n`);
        else
          terminal.write(
            `\x1b[H${screen
              .slice(0, terminal.rows)
              .map((row) => `${row.slice(0, terminal.columns)}\x1b[K`)
              .join('\r\n')}\x1b[J`,
          );
      }
    } catch (error) {
      if (!(error instanceof Interrupted) || batch) throw error;
    } finally {
      quit = true;
      if (!batch) terminal?.write(LEAVE_SCREEN);
    }
    return 0;
  },
};

function positive(text: string): number {
  const value = Number(text);
  if (!/^\d{1,6}(\.\d+)?$/.test(text) || value <= 0) throw new XendError(`Invalid argument: ${text}`);
  return value;
}

function takeSample(call: XmCall): Sample {
  return { timeMs: call.clock.nowMs(), cpuTimeNs: new Map(call.xend.domains().map((domain) => [domain.domid, domain.cpuTimeNs])) };
}

function drawScreen(call: XmCall, before: Sample, now: Sample, showVcpus: boolean): string[] {
  const { xend } = call;
  const machine = xend.physical;
  const domains = xend.domains();
  const totalKiB = machine.totalPages * 4;
  const freeKiB = machine.freePages * 4;
  const count = (letter: string): number => domains.filter((domain) => domain.state.includes(letter)).length;
  const rows = [
    `xentop - ${formatLogTime(now.timeMs).slice(11)}   Xen ${machine.versionMajor}.${machine.versionMinor}${machine.extraVersion}`,
    `${domains.length} domains: ${count('r')} running, ${count('b')} blocked, ${count('p')} paused, ${count('c')} crashed, ${count('d')} dying, ${count('s')} shutdown `,
    `Mem: ${totalKiB}k total, ${totalKiB - freeKiB}k used, ${freeKiB}k free    CPUs: ${machine.pcpus} @ ${Math.floor(machine.cpuKhz / 1000)}MHz`,
    HEADER,
  ];
  for (const domain of domains) {
    rows.push(drawDomain(domain, before, now, totalKiB));
    if (showVcpus) rows.push(...drawVcpus(call, domain));
  }
  return rows;
}

function drawDomain(domain: DomainSummary, before: Sample, now: Sample, totalKiB: number): string {
  const elapsedMs = now.timeMs - before.timeMs;
  const usedNs = domain.cpuTimeNs - (before.cpuTimeNs.get(domain.domid) ?? domain.cpuTimeNs);
  const share = (amount: number, whole: number): string => (whole > 0 ? (amount / whole) * 100 : 0).toFixed(1);
  const memoryKiB = domain.memoryMiB * 1024;
  const maximumKiB = domain.maxMemoryMiB * 1024;
  const unlimited = domain.domid === 0;
  return [
    domain.name.padStart(10).slice(-10),
    topState(domain.state),
    String(Math.floor(domain.cpuTimeNs / 1e9)).padStart(10),
    share(usedNs / 1e6, elapsedMs).padStart(6),
    String(memoryKiB).padStart(10),
    share(memoryKiB, totalKiB).padStart(6),
    (unlimited ? 'no limit' : String(maximumKiB)).padStart(10),
    (unlimited ? 'n/a' : share(maximumKiB, totalKiB)).padStart(9),
    String(domain.onlineVcpus).padStart(5),
    '0'.padStart(4),
    '0'.padStart(8),
    '0'.padStart(8),
    '0'.padStart(4),
  ].join(' ');
}

/** xentop's own order of the letters: d s b c p r. */
function topState(state: string): string {
  return ['d', 's', 'b', 'c', 'p', 'r'].map((letter) => (state.includes(letter) ? letter : '-')).join('');
}

function drawVcpus(call: XmCall, domain: DomainSummary): string[] {
  const cells = call.xend
    .vcpus(domain.domid)
    .map((vcpu) => `${String(vcpu.vcpu).padStart(3)}: ${String(Math.floor(vcpu.cpuTimeNs / 1e9)).padStart(10)}s`);
  const rows: string[] = [];
  for (let at = 0; at < cells.length; at += 5)
    rows.push(`${at === 0 ? 'VCPUs(sec):' : '           '} ${cells.slice(at, at + 5).join(' ')}`);
  return rows;
}
