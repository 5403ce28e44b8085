/** A transfer on the page: a bar with a button that calls it off, and a message when it fails. */
import type { TransferOptions } from '../machine/script-api.ts';
import { notify, notifyError } from './notices.ts';
import { showProgress } from './progress.ts';

export function describeBytes(bytes: number): string {
  let amount = bytes;
  let unit = bytes === 1 ? 'byte' : 'bytes';
  for (const next of ['KiB', 'MiB', 'GiB', 'TiB']) {
    if (amount < 1024) break;
    amount /= 1024;
    unit = next;
  }
  return unit.startsWith('byte') ? `${bytes} ${unit}` : `${amount.toFixed(1)} ${unit}`;
}

/** True when `transfer` has come to its end; otherwise the user was told `failure` and why. */
export async function withProgress(
  task: string,
  failure: string,
  transfer: (options: Required<TransferOptions>) => Promise<void>,
): Promise<boolean> {
  const call = new AbortController();
  const cancel = (): void => {
    call.abort(new Error('it was called off'));
  };
  const show = (fraction: number | undefined, detail?: string): void => {
    showProgress({ task, fraction }, { cancel, ...(detail === undefined ? {} : { detail }) });
  };
  show(undefined);
  const onProgress = (done: number, total: number | undefined): void => {
    // 1 would mean the end, which comes below.
    if (total === undefined || total === 0) show(undefined, describeBytes(done));
    else show(Math.min(0.99, done / total));
  };
  try {
    await transfer({ onProgress, signal: call.signal });
    return true;
  } catch (error) {
    if (call.signal.aborted) notify(`${task}: called off, nothing is left of it.`);
    else notifyError(failure, error);
    return false;
  } finally {
    showProgress({ task, fraction: 1 });
  }
}
