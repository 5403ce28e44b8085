/** Finds a configuration file, runs it in the Python interpreter, and turns what comes back into settings or an error. */
import { FileSystemError } from '../../storage/file-system-error.ts';
import type { FileSystem } from '../../storage/file-system.ts';
import { baseName, directoryName, resolvePath } from '../../storage/path.ts';
import { decodeUtf8 } from '../../storage/utf8.ts';
import type { CommandIo } from '../command.ts';
import { Interrupted, unlessCancelled } from '../services.ts';
import { XendError, messageOf } from '../xend-error.ts';
import type { DeclaredVariable, ScriptEvaluator, ScriptOutcome } from './script.ts';
import type { Assignment, Settings } from './settings.ts';
import { collectSettings } from './settings.ts';

const MAX_SOURCE_BYTES = 1024 * 1024;
/** Files a script may open besides itself: enough for shared settings, little enough to hand over each time. */
const MAX_SHARED_BYTES = 1024 * 1024;
const SHARED_DIRECTORY = '/etc/xen';

/** The name as it stands, then in each directory of the search path. */
export async function findConfiguration(files: FileSystem, name: string, directory: string, searchPath: string): Promise<string> {
  const candidates = [resolvePath(directory, name)];
  if (!name.startsWith('/')) for (const place of searchPath.split(':')) candidates.push(resolvePath(directory, `${place}/${name}`));
  for (const path of candidates) if ((await files.exists(path)) && (await files.stat(path)).kind === 'file') return path;
  throw new XendError(`Unable to open config file: ${name}`);
}

export interface ConfigurationRun {
  readonly path: string;
  /** The name in error messages. */
  readonly shownAs: string;
  readonly assignments: readonly Assignment[];
  readonly helping: boolean;
  readonly directory: string;
  readonly io: CommandIo;
}

export async function runConfiguration(
  services: { readonly files: FileSystem; readonly scripts: ScriptEvaluator },
  run: ConfigurationRun,
): Promise<{ settings: Settings; declared: readonly DeclaredVariable[] }> {
  const bytes = await services.files.readFile(run.path);
  if (bytes.length > MAX_SOURCE_BYTES) throw new XendError(`${run.shownAs} is no configuration file: it is larger than 1 MiB.`);
  const source = decodeUtf8(bytes);
  if (source.includes('\0')) throw new XendError(`${run.shownAs} is no configuration file: it holds binary data.`);
  const assignments = Object.fromEntries(run.assignments.map(({ name, value }) => [name, value]));
  let outcome: ScriptOutcome;
  try {
    outcome = await unlessCancelled(
      services.scripts.evaluate({
        path: run.path,
        source,
        assignments,
        files: await sharedFiles(services.files, directoryName(run.path)),
        directory: directoryName(run.path),
        help: run.helping,
      }),
      run.io.cancellation,
    );
  } catch (error) {
    throw error instanceof Interrupted ? error : new XendError(messageOf(error));
  }
  if (outcome.output !== '') run.io.out(outcome.output);
  switch (outcome.kind) {
    case 'values': {
      const values = { name: baseName(run.path), ...outcome.values };
      return { settings: collectSettings(values, run.assignments), declared: outcome.declared };
    }
    case 'refused':
      throw new XendError(`${outcome.variable} - ${outcome.message}`);
    case 'timeout':
      throw new XendError(
        `${run.shownAs} did not come to its end within ${outcome.limitMs / 1000} seconds (an endless loop?) and was stopped.`,
      );
    case 'error': {
      if (outcome.line === undefined) throw new XendError(`Errors were found while processing ${run.shownAs}: ${outcome.message}`);
      const text = source.split('\n')[outcome.line - 1] ?? '';
      throw new XendError(
        `Errors were found at line ${outcome.line} while processing ${run.shownAs}:\t${text.trim()}  (${outcome.message})`,
      );
    }
  }
}

/** Everything small below /etc/xen, and beside the configuration itself. */
async function sharedFiles(files: FileSystem, directory: string): Promise<Record<string, Uint8Array>> {
  const found: Record<string, Uint8Array> = {};
  let room = MAX_SHARED_BYTES;
  const collect = async (at: string, deep: boolean): Promise<void> => {
    for (const { name, kind } of await files.readDirectory(at)) {
      const path = at === '/' ? `/${name}` : `${at}/${name}`;
      if (kind === 'directory' && deep) await collect(path, true);
      if (kind !== 'file' || path in found) continue;
      const { sizeBytes } = await files.stat(path);
      if (sizeBytes > Math.min(room, MAX_SHARED_BYTES / 4)) continue;
      room -= sizeBytes;
      found[path] = await files.readFile(path);
    }
  };
  for (const [place, deep] of [
    [directory, false],
    [SHARED_DIRECTORY, true],
  ] as const) {
    try {
      await collect(place, deep);
    } catch (error) {
      if (!(error instanceof FileSystemError)) throw error;
    }
  }
  return found;
}
