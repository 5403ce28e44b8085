/** The translator's thread: makes WebAssembly of the code that vCPUs found hot, while those go on. */
import { nextTurn } from '../event-loop.ts';
import type { TranslatorNews } from './messages.ts';
import { TranslationService } from './service.ts';

const service = new TranslationService(
  {
    after: (milliseconds, task) => {
      setTimeout(task, milliseconds);
    },
    turn: nextTurn,
  },
  (text) => {
    postMessage(text);
  },
);

addEventListener('message', ({ data }: MessageEvent<TranslatorNews>) => {
  if (data.kind === 'connect') service.connect(data.client, data.link);
  else service.disconnect(data.client);
});
