/** xm shutdown and xm reboot: the guest is asked through control/shutdown; with -w the command waits for what comes of it. */
import type { OptionSpecification } from '../getopt.ts';
import { UsageError, parseOptions } from '../getopt.ts';
import { sleep } from '../services.ts';
import type { DomainSummary } from '../xend/domain-state.ts';
import type { ShutdownRequest } from '../xend/managed-domain.ts';
import { XendError } from '../xend-error.ts';
import type { XmCall, XmCommand } from './xm-command.ts';

const POLL_MS = 1_000;

const COMMON: readonly OptionSpecification[] = [
  { name: 'all', spellings: ['-a', '--all'] },
  { name: 'wait', spellings: ['-w', '--wait'] },
];

export const shutdown: XmCommand = {
  name: 'shutdown',
  synopsis: ['shutdown [-a] [-w] [-H|-R] <DomId>'],
  description: 'ask a domain to stop',
  run(call) {
    return request(call, 'shutdown', 4, [
      ...COMMON,
      { name: 'halt', spellings: ['-H', '--halt'] },
      { name: 'reboot', spellings: ['-R', '--reboot'] },
    ]);
  },
};

export const reboot: XmCommand = {
  name: 'reboot',
  synopsis: ['reboot [-a] [-w] <DomId>'],
  description: 'ask a domain to restart',
  run(call) {
    return request(call, 'reboot', 3, COMMON);
  },
};

async function request(
  call: XmCall,
  name: string,
  mostArguments: number,
  specifications: readonly OptionSpecification[],
): Promise<number> {
  const options = parseOptions(call.words, specifications);
  if (options.has('halt') && options.has('reboot')) throw new XendError("Can't specify halt and reboot");
  const reason: ShutdownRequest = name === 'reboot' || options.has('reboot') ? 'reboot' : options.has('halt') ? 'halt' : 'poweroff';
  if (options.operands.length > 1) throw new XendError('No multiple domain parameters allowed');
  const [designation] = options.operands;
  if (designation === undefined && !options.has('all'))
    throw new UsageError(`'${call.program} ${name}' requires between 1 and ${mostArguments} arguments.`);
  const domains = options.has('all')
    ? call.xend.domains().filter((domain) => domain.domid !== 0)
    : [call.xend.find(designation ?? '')];
  for (const domain of domains) call.xend.requestShutdown(domain.domid, reason);
  if (options.has('wait')) await waitForAll(call, domains, reason === 'reboot');
  return 0;
}

async function waitForAll(call: XmCall, domains: readonly DomainSummary[], rebooting: boolean): Promise<void> {
  let waiting = [...domains];
  while (waiting.length > 0) {
    await sleep(call.clock, POLL_MS, call.io.cancellation);
    const now = call.xend.domains();
    waiting = waiting.filter((domain) => {
      const same = now.find((candidate) => candidate.domid === domain.domid);
      if (same !== undefined && same.shutdown === undefined) return true;
      if (!rebooting) {
        call.io.out(`Domain ${domain.name} terminated\n`);
        return false;
      }
      // The old domain is still being taken away, or the new one has not come yet.
      if (same !== undefined && domain.configuration?.onReboot !== 'preserve') return true;
      const successor = now.find((candidate) => candidate.uuid === domain.uuid && candidate.domid !== domain.domid);
      if (successor === undefined && call.xend.nameInUse(domain.name)) return true;
      call.io.out(
        successor === undefined ? `Domain ${domain.name} destroyed for failed in rebooting\n` : `Domain ${domain.name} rebooted\n`,
      );
      return false;
    });
  }
  call.io.out(rebooting ? 'All domains rebooted\n' : 'All domains terminated\n');
}
