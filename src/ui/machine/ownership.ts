/**
 * A machine's files and disks are stored once a browser, so one tab owns them: a Web Lock held as long as the tab lives. Another
 * tab may ask the owner for it over a channel: the owner ends its machine, as when the power fails, and lets go. An owner that
 * does not answer (frozen by the browser, say) has the lock taken from it; what it may still write then is refused by the store.
 */
export type Ownership = 'owned' | 'elsewhere';

const ANSWER_LIMIT_MS = 5000;
const PLEASE_LEAVE = 'please leave';

const lockOf = (machine: string): string => `webxen-machine-${machine}`;

/**
 * Takes the lock when it is free, or becomes so within a while: a tab that is closed, or the document that a reload replaces, may have it
 * a moment longer. `onTaken` is called when another tab has taken the machine over, and must end it.
 */
export async function takeOwnership(machine: string, patienceMs: number, onTaken: () => void): Promise<Ownership> {
  const patience = AbortSignal.timeout(patienceMs);
  try {
    return await request(machine, { signal: patience }, onTaken);
  } catch (error) {
    if (!patience.aborted) throw error;
    return 'elsewhere';
  }
}

/** Runs `body` while no tab has the machine, nor can get it; undefined when one has. */
export async function whileNobodyHas<Result>(machine: string, body: () => Promise<Result>): Promise<Result | undefined> {
  if (!('locks' in navigator)) return body();
  const outcome = await navigator.locks.request(lockOf(machine), { ifAvailable: true }, async (lock) =>
    lock === null ? undefined : { result: await body() },
  );
  return outcome?.result;
}

/** Makes the tab that has the machine end it, and owns it afterwards. */
export async function takeOver(machine: string, onTaken: () => void): Promise<'owned'> {
  if (!('locks' in navigator)) return 'owned';
  const channel = new BroadcastChannel(lockOf(machine));
  channel.postMessage(PLEASE_LEAVE);
  channel.close();
  const owned = (await takeOwnership(machine, ANSWER_LIMIT_MS, onTaken)) === 'owned';
  return owned ? 'owned' : request(machine, { steal: true }, onTaken);
}

/** Browsers without Web Locks own what they open. */
function request(machine: string, options: LockOptions, onTaken: () => void): Promise<'owned'> {
  if (!('locks' in navigator)) return Promise.resolve('owned');
  return new Promise((resolve, reject) => {
    let held = false;
    navigator.locks
      .request(lockOf(machine), options, () => {
        held = true;
        resolve('owned');
        // Held until the tab goes, or another one asks for it.
        return new Promise<void>((release) => {
          const channel = new BroadcastChannel(lockOf(machine));
          channel.onmessage = ({ data }) => {
            if (data !== PLEASE_LEAVE) return;
            channel.close();
            onTaken();
            release();
          };
        });
      })
      .catch((error: unknown) => {
        // Rejects as well when the lock was stolen.
        if (held) onTaken();
        else reject(error instanceof Error ? error : new Error(String(error)));
      });
  });
}
