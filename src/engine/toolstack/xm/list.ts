/** xm list, xm domid, xm domname. */
import type { DomainSummary } from '../xend/domain-state.ts';
import type { Sxp } from '../sxp.ts';
import { prettySxp } from '../sxp.ts';
import { XendError } from '../xend-error.ts';
import { parseOptions } from '../getopt.ts';
import { vcpuList } from './vcpu.ts';
import type { XmCommand } from './xm-command.ts';
import { operand, takeOperands } from './xm-command.ts';

const OPTIONS = [
  { name: 'long', spellings: ['-l', '--long'] },
  { name: 'vcpus', spellings: ['-v', '--vcpus'] },
  { name: 'state', spellings: ['--state'], takesValue: true },
];

/** Letter of the state field that each word of --state asks for. */
const STATES: Readonly<Record<string, (state: string) => boolean>> = {
  all: () => true,
  running: (state) => state.startsWith('r') || state[1] === 'b' || state === '------',
  paused: (state) => state[2] === 'p',
  shutdown: (state) => state[3] === 's',
  halted: () => false,
  suspended: () => false,
};

export const list: XmCommand = {
  name: 'list',
  synopsis: ['list [-l] [DomId ...]'],
  description: 'show domains and their state',
  run(call) {
    const { io, xend, clock } = call;
    const options = parseOptions(call.words, OPTIONS);
    if (options.has('vcpus')) {
      io.error(`${call.program} list -v is deprecated.  Please use ${call.program} vcpu-list.\n`);
      return vcpuList.run({ ...call, words: options.operands });
    }
    const state = options.value('state');
    if (state !== undefined && options.operands.length > 0)
      throw new XendError('You may specify either a state or a particular VM, but not both');
    const accepts = STATES[state ?? 'all'];
    if (accepts === undefined) throw new XendError(`Invalid state: ${state ?? ''}`);
    const domains =
      options.operands.length > 0
        ? options.operands.map((designation) => xend.find(designation))
        : xend.domains().filter((domain) => accepts(domain.state));
    if (options.has('long')) for (const domain of domains) io.out(`${prettySxp(domainSxp(domain, clock.nowMs()))}\n`);
    else io.out(formatDomainList(domains));
    return 0;
  },
};

export function formatDomainList(domains: readonly DomainSummary[]): string {
  const rows = domains.map((domain) =>
    [
      domain.name.padEnd(32),
      String(domain.domid).padStart(3),
      String(domain.memoryMiB).padStart(8),
      String(domain.onlineVcpus).padStart(5),
      domain.state.padStart(5),
      (domain.cpuTimeNs / 1e9).toFixed(1).padStart(7),
    ].join(' '),
  );
  return ['Name                              ID Mem(MiB) VCPUs State  Time(s)', ...rows].map((row) => `${row}\n`).join('');
}

export function domainSxp(domain: DomainSummary, nowMs: number): Sxp {
  const { configuration } = domain;
  const sxp: Sxp[] = [
    'domain',
    ['domid', String(domain.domid)],
    ['uuid', domain.uuid],
    ['ssidref', '0'],
    ['vcpus', String(domain.maxVcpus)],
    ['cpu_weight', weight(configuration?.cpuWeight ?? '')],
    ['memory', String(domain.memoryMiB)],
    ['maxmem', String(domain.maxMemoryMiB)],
    ['name', domain.name],
    ['on_poweroff', configuration?.onPoweroff ?? 'destroy'],
    ['on_reboot', configuration?.onReboot ?? 'restart'],
    ['on_crash', configuration?.onCrash ?? 'restart'],
  ];
  if (configuration !== undefined) sxp.push(['image', configuration.image], ...configuration.devices);
  sxp.push(
    ['state', domain.state],
    ['shutdown_reason', domain.shutdown ?? 'poweroff'],
    ['cpu_time', (domain.cpuTimeNs / 1e9).toFixed(configuration === undefined ? 1 : 9)],
    ['online_vcpus', String(domain.onlineVcpus)],
  );
  if (configuration === undefined) return sxp;
  sxp.push(['up_time', ((nowMs - domain.startTimeMs) / 1000).toFixed(3)], ['start_time', (domain.startTimeMs / 1000).toFixed(2)]);
  sxp.push(['store_mfn', String(domain.storeMfn ?? 0)], ['console_mfn', String(domain.consoleMfn ?? 0)]);
  return sxp;
}

/** Printed as a real number: "1.0". */
function weight(text: string): string {
  if (text === '') return '1.0';
  return text.includes('.') ? text : `${text}.0`;
}

export const domid: XmCommand = {
  name: 'domid',
  synopsis: ['domid <DomName>'],
  description: 'translate a name into an id',
  run(call) {
    const name = operand(takeOperands(call, 'domid', 1), 0);
    call.io.out(`${call.xend.find(name).domid}\n`);
    return 0;
  },
};

export const domname: XmCommand = {
  name: 'domname',
  synopsis: ['domname <DomId>'],
  description: 'translate an id into a name',
  run(call) {
    const id = operand(takeOperands(call, 'domname', 1), 0);
    call.io.out(`${call.xend.find(id).name}\n`);
    return 0;
  },
};
