/** The translator's thread: makes WebAssembly of the code that vCPUs found hot, while those go on. */
import type { TranslatorNews } from './messages.ts';
import { TranslationService } from './service.ts';

/** Messages, since timers are made to wait at least 4 ms once they nest. */
const turns = new MessageChannel();
const turned: (() => void)[] = [];
turns.port1.onmessage = () => turned.shift()?.();

const service = new TranslationService(
  {
    after: (milliseconds, task) => {
      setTimeout(task, milliseconds);
    },
    turn: () =>
      new Promise((resolve) => {
        turned.push(resolve);
        turns.port2.postMessage(undefined);
      }),
  },
  (text) => {
    postMessage(text);
  },
);

addEventListener('message', ({ data }: MessageEvent<TranslatorNews>) => {
  if (data.kind === 'connect') service.connect(data.client, data.link);
  else service.disconnect(data.client);
});
