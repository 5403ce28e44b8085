/** xm console: the terminal becomes the guest's until Ctrl-] is typed or the domain goes. */
import type { Domid } from '../../hypervisor/control.ts';
import type { CommandIo, CommandTerminal } from '../command.ts';
import type { ConsoleConnection, Consoles } from '../xend/consoles.ts';
import { XendError } from '../xend-error.ts';
import type { XmCommand } from './xm-command.ts';
import { operand, takeOperands } from './xm-command.ts';

/** Ctrl-]: leaves the console when it comes alone. */
const ESCAPE_BYTE = 0x1d;
const EINVAL = 22;

export const console: XmCommand = {
  name: 'console',
  synopsis: ['console <DomId>'],
  description: "connect this terminal to a domain's console",
  async run(call) {
    const parsed = takeOperands(call, 'console', 1, 1, [{ name: 'quiet', spellings: ['-q', '--quiet'] }]);
    const terminal = requireTerminal(call.io, `${call.program} console`);
    let domid: Domid;
    try {
      domid = call.xend.find(operand(parsed, 0)).domid;
    } catch (error) {
      if (parsed.has('quiet') && error instanceof XendError) return 1;
      throw error;
    }
    if (domid === 0) {
      call.io.error("Can't specify Domain-0\n");
      return EINVAL;
    }
    await runConsole(call.consoles, domid, terminal, call.io);
    return 0;
  },
};

export function requireTerminal(io: CommandIo, what: string): CommandTerminal {
  if (io.terminal === undefined) throw new XendError(`${what} needs a terminal; run it by itself in the shell of domain 0.`);
  return io.terminal;
}

/** Resolves when the user leaves, the domain goes or the terminal closes. */
export async function runConsole(consoles: Consoles, domid: Domid, terminal: CommandTerminal, io: CommandIo): Promise<void> {
  const connection = consoles.connect(domid);
  if (connection === undefined) throw new XendError(`Domain '${domid}' has no console.`);
  try {
    await Promise.race([untilClosed(connection), forwardKeys(connection, terminal), untilCancelled(io)]);
  } finally {
    connection.close();
    terminal.write('\r\n');
  }

  function untilClosed(open: ConsoleConnection): Promise<void> {
    open.onOutput((bytes) => terminal.write(bytes));
    return new Promise((resolve) => open.onClose(resolve));
  }
}

async function forwardKeys(connection: ConsoleConnection, terminal: CommandTerminal): Promise<void> {
  for (;;) {
    const keys = await terminal.read();
    if (keys === undefined || (keys.length === 1 && keys[0] === ESCAPE_BYTE)) return;
    connection.input(keys);
  }
}

function untilCancelled(io: CommandIo): Promise<void> {
  return new Promise((resolve) => io.cancellation.onCancel(resolve));
}
