/** A machine out of an archive, beside the one of this page. */
import type { Dom0 } from '../../workers/protocol.ts';
import { isMachineName, rememberStorage } from './machine-storage.ts';
import { whileNobodyHas } from './ownership.ts';
import type { ImportedMachine, ImportMachineOptions } from './script-api.ts';
import { called, observerOf, sourceOf } from './transfers.ts';

export async function importMachine(
  dom0: Pick<Dom0, 'importMachine'>,
  machine: string,
  archive: Blob | ReadableStream<Uint8Array>,
  { storage: kind = 'indexeddb', ...options }: ImportMachineOptions = {},
): Promise<ImportedMachine> {
  if (!isMachineName(machine))
    throw new Error(`"${machine}" cannot be a machine's name: letters, digits, - and _, up to 32 of them`);
  const { input, over } = sourceOf(archive);
  const storage = { machine, kind };
  try {
    const exportedFrom = await whileNobodyHas(machine, () =>
      called(options.signal, () => dom0.importMachine(storage, input, observerOf(options))),
    );
    if (exportedFrom === undefined) throw new Error(`the machine ${machine} is running: choose another name`);
    rememberStorage(storage, localStorage);
    return { machine, exportedFrom, address: addressOf(machine) };
  } finally {
    over();
  }
}

function addressOf(machine: string): string {
  const address = new URL(location.href);
  address.search = '';
  address.searchParams.set('machine', machine);
  return address.href;
}
