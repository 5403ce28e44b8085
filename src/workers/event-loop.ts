/** Turns of this thread's event loop, by messages: timers are made to wait at least 4 ms once they nest. */
const { port1, port2 } = new MessageChannel();
const tasks: (() => void)[] = [];
port1.onmessage = () => tasks.shift()?.();

/** Calls the task when all that is waiting to be done at present has had its turn. */
export function inNextTurn(task: () => void): void {
  tasks.push(task);
  port2.postMessage(undefined);
}

/** Resolves when the event loop has come round. */
export function nextTurn(): Promise<void> {
  return new Promise(inNextTurn);
}
