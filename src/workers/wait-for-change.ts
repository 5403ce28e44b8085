/** Waits for a word of shared memory on a thread that must not stand still. */

/** How often the word is looked at where Atomics.waitAsync is missing. */
const POLL_MS = 4;

/** Returns once the word is not `value`, or its waiters were notified. Who changes it notifies. */
export async function changed(words: Int32Array, index: number, value: number): Promise<void> {
  if (typeof Atomics.waitAsync === 'function') {
    const result = Atomics.waitAsync(words, index, value);
    if (result.async) await result.value;
    return;
  }
  while (Atomics.load(words, index) === value) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
