/** A machine out of an archive, stored under a name at which there is none. */
import { ImageError } from '../../engine/images/image-error.ts';
import { importMachine, isEmptyStore } from '../../engine/images/machine/import-machine.ts';
import { streamOf } from '../../engine/images/import-disk.ts';
import type { OnProgress } from '../../engine/images/transfer.ts';
import type { MachineStorage, PieceSource } from '../protocol.ts';
import type { Dom0Platform } from './dom0-system.ts';
import { sourceOfBlob, streamOfPieces } from './transfer-ends.ts';

/** The name that the machine had. What is there is left alone; what came of an import that fails is removed. */
export async function receiveMachine(
  platform: Dom0Platform,
  storage: MachineStorage,
  input: Blob | PieceSource,
  onProgress: OnProgress,
): Promise<string> {
  const store = await platform.chunkStore(storage);
  if (!(await isEmptyStore(store))) {
    await store.close();
    throw new ImageError(`there is a machine ${storage.machine} already: choose another name`);
  }
  try {
    const stream = input instanceof Blob ? streamOf(sourceOfBlob(input)) : streamOfPieces(input);
    const { machine } = await importMachine(store, stream, platform.codecs, onProgress);
    await store.close();
    return machine;
  } catch (error) {
    await store.close();
    await platform.removeChunkStore(storage);
    throw error;
  }
}
