/** xm info, dmesg, log, uptime: facts about the machine. */
import { decodeUtf8 } from '../../storage/utf8.ts';
import { cpuidPolicy } from '../../builder/cpuid-policy.ts';
import { DOM0_IDENTITY } from '../dom0-identity.ts';
import type { DomainSummary } from '../xend/domain-state.ts';
import { PAGES_PER_MIB } from '../xend/build-domain.ts';
import { XEND_LOG, formatLogTime } from '../xend/xend-log.ts';
import type { XmCall, XmCommand } from './xm-command.ts';
import { takeOperands } from './xm-command.ts';

export const info: XmCommand = {
  name: 'info',
  synopsis: ['info'],
  description: 'facts about the host',
  run(call) {
    takeOperands(call, 'info', 0);
    for (const [name, value] of hostFacts(call)) call.io.out(`${name.padEnd(23)}: ${value === '' ? '(none)' : value}\n`);
    return 0;
  },
};

function hostFacts(call: XmCall): readonly (readonly [name: string, value: string])[] {
  const machine = call.xend.physical;
  return [
    ['system', DOM0_IDENTITY.system],
    ['host', call.hostName()],
    ['release', DOM0_IDENTITY.release],
    ['version', DOM0_IDENTITY.version],
    ['machine', DOM0_IDENTITY.machine],
    ['nr_cpus', String(machine.pcpus)],
    ['nr_nodes', '1'],
    ['sockets_per_node', '1'],
    ['cores_per_socket', String(machine.pcpus)],
    ['threads_per_core', '1'],
    ['cpu_mhz', String(Math.floor(machine.cpuKhz / 1000))],
    ['hw_caps', capabilityWords(machine.cpuKhz)],
    ['total_memory', String(Math.floor(machine.totalPages / PAGES_PER_MIB))],
    ['free_memory', String(Math.floor(machine.freePages / PAGES_PER_MIB))],
    ['xen_major', String(machine.versionMajor)],
    ['xen_minor', String(machine.versionMinor)],
    ['xen_extra', machine.extraVersion],
    ['xen_caps', machine.capabilities],
    ['platform_params', 'virt_start=0xffff800000000000'],
    ['xen_changeset', machine.changeset],
    ['cc_compiler', machine.compiler],
    ['cc_compile_by', machine.compileBy],
    ['cc_compile_domain', ''],
    ['cc_compile_date', machine.compileDate],
  ];
}

/** Feature words of leaves 1 and 0x80000001: EDX, ECX, EDX, ECX. */
function capabilityWords(tscKhz: number): string {
  const leaves = cpuidPolicy({ vcpus: 1, tscKhz });
  const words = [1, 0x80000001].flatMap((leaf) => {
    const entry = leaves.find((candidate) => candidate.leaf === leaf);
    return [entry?.edx ?? 0, entry?.ecx ?? 0];
  });
  return words.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join(':');
}

export const dmesg: XmCommand = {
  name: 'dmesg',
  synopsis: ['dmesg [-c|--clear]'],
  description: "show the hypervisor's messages",
  run(call) {
    const parsed = takeOperands(call, 'dmesg', 0, 0, [{ name: 'clear', spellings: ['-c', '--clear'] }]);
    const text = call.xend.hypervisorMessages(parsed.has('clear'));
    if (!parsed.has('clear')) call.io.out(text);
    return 0;
  },
};

export const log: XmCommand = {
  name: 'log',
  synopsis: ['log'],
  description: 'show the log of xend',
  async run(call) {
    takeOperands(call, 'log', 0);
    await call.xend.log.settled();
    if (await call.files.exists(XEND_LOG)) call.io.out(decodeUtf8(await call.files.readFile(XEND_LOG)));
    return 0;
  },
};

export const uptime: XmCommand = {
  name: 'uptime',
  synopsis: ['uptime [-s|--short] [DomId ...]'],
  description: 'time since each domain started',
  run(call) {
    const parsed = takeOperands(call, 'uptime', 0, Number.POSITIVE_INFINITY, [{ name: 'short', spellings: ['-s', '--short'] }]);
    const domains = parsed.operands.length > 0 ? parsed.operands.map((name) => call.xend.find(name)) : call.xend.domains();
    const now = call.clock.nowMs();
    if (!parsed.has('short')) call.io.out('Name                              ID Uptime\n');
    for (const domain of domains) {
      const seconds = Math.max(0, Math.floor((now - domain.startTimeMs) / 1000));
      call.io.out(
        parsed.has('short')
          ? shortUptime(domain, seconds, now)
          : `${domain.name.padEnd(32)} ${String(domain.domid).padStart(3)} ${span(seconds, true)}\n`,
      );
    }
    return 0;
  },
};

function shortUptime(domain: DomainSummary, seconds: number, nowMs: number): string {
  return ` ${formatLogTime(nowMs).slice(11)} up ${span(seconds, false)}, ${domain.name} (${domain.domid})\n`;
}

/** " 0:18:45", "2 days,  3:04:05". */
function span(seconds: number, withSeconds: boolean): string {
  const days = Math.floor(seconds / 86400);
  const hours = String(Math.floor(seconds / 3600) % 24).padStart(2);
  const minutes = String(Math.floor(seconds / 60) % 60).padStart(2, '0');
  const prefix = days === 0 ? '' : days === 1 ? '1 day, ' : `${days} days, `;
  return `${prefix}${hours}:${minutes}${withSeconds ? `:${String(seconds % 60).padStart(2, '0')}` : ''}`;
}
