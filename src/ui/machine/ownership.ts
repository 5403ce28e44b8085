/** A machine's files and disks are stored once a browser, so one tab owns them: a Web Lock held as long as the tab lives. */
const LOCK = 'webxen-machine';

export type Ownership = 'owned' | 'elsewhere';

/** Takes the lock when it is free. Browsers without Web Locks own what they open. */
export async function takeOwnership(): Promise<Ownership> {
  if (!('locks' in navigator)) return 'owned';
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(LOCK, { ifAvailable: true }, (lock) => {
        resolve(lock === null ? 'elsewhere' : 'owned');
        // Held until the tab goes: a promise that never settles.
        return lock === null ? undefined : new Promise<void>(() => undefined);
      })
      .catch(reject);
  });
}
