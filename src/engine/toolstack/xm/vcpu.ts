/** xm vcpu-list, vcpu-pin, vcpu-set. */
import { formatCpuList, parseCpuList } from '../configuration/cpu-list.ts';
import type { VcpuInformation } from '../../hypervisor/control.ts';
import type { DomainSummary } from '../xend/domain-state.ts';
import type { XmCommand } from './xm-command.ts';
import { operand, takeOperands, wholeNumber } from './xm-command.ts';

export const vcpuList: XmCommand = {
  name: 'vcpu-list',
  synopsis: ['vcpu-list [DomId ...]'],
  description: 'show virtual CPUs',
  run(call) {
    const { operands } = takeOperands(call, 'vcpu-list', 0, Number.POSITIVE_INFINITY);
    const domains = operands.length > 0 ? operands.map((name) => call.xend.find(name)) : call.xend.domains();
    call.io.out('Name                              ID  VCPU  CPU  State  Time(s)  CPU Affinity\n');
    for (const domain of domains) for (const vcpu of call.xend.vcpus(domain.domid)) call.io.out(`${formatVcpu(domain, vcpu)}\n`);
    return 0;
  },
};

export function formatVcpu(domain: DomainSummary, vcpu: VcpuInformation): string {
  const state = vcpu.online ? `${vcpu.running ? 'r' : '-'}${vcpu.blocked && !vcpu.running ? 'b' : '-'}-` : '--p';
  return [
    `${domain.name.padEnd(32)} ${String(domain.domid).padStart(3)}`,
    String(vcpu.vcpu).padStart(4),
    (vcpu.online ? String(vcpu.pcpu) : '-').padStart(3),
    ` ${state} `,
    (vcpu.cpuTimeNs / 1e9).toFixed(1).padStart(7),
    formatCpuList(vcpu.affinity),
  ].join('  ');
}

export const vcpuPin: XmCommand = {
  name: 'vcpu-pin',
  synopsis: ['vcpu-pin <DomId> <VCPU|all> <CPUs|all>'],
  description: 'bind a virtual CPU to physical CPUs',
  run(call) {
    const parsed = takeOperands(call, 'vcpu-pin', 3);
    const domain = call.xend.find(operand(parsed, 0));
    const cpus = parseCpuList(operand(parsed, 2));
    const which = operand(parsed, 1);
    const vcpus = which === 'all' ? call.xend.vcpus(domain.domid).map((vcpu) => vcpu.vcpu) : [wholeNumber(which)];
    for (const vcpu of vcpus) call.xend.pinVcpu(domain.domid, vcpu, cpus);
    return 0;
  },
};

export const vcpuSet: XmCommand = {
  name: 'vcpu-set',
  synopsis: ['vcpu-set <DomId> <VCPUs>'],
  description: 'change how many virtual CPUs are active',
  run(call) {
    const parsed = takeOperands(call, 'vcpu-set', 2);
    const domain = call.xend.find(operand(parsed, 0));
    call.xend.setVcpuCount(domain.domid, wholeNumber(operand(parsed, 1)));
    return 0;
  },
};
