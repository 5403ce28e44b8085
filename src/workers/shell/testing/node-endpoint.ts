/** Node's worker threads and ports as the endpoints comlink speaks to. */
import type { Endpoint } from 'comlink';

interface NodePort {
  postMessage(message: unknown, transfer?: readonly never[]): void;
  on(type: 'message', listener: (data: unknown) => void): unknown;
  off(type: 'message', listener: (data: unknown) => void): unknown;
}

type Listener = Parameters<Endpoint['addEventListener']>[1];

export function nodeEndpoint(port: NodePort): Endpoint {
  const wrapped = new Map<Listener, (data: unknown) => void>();
  return {
    postMessage: (message: unknown, transfer?: Transferable[]) => port.postMessage(message, transfer as never[] | undefined),
    addEventListener: (_type, listener) => {
      const receive = (data: unknown): void => {
        const event = { data } as MessageEvent;
        if (typeof listener === 'function') listener(event);
        else listener.handleEvent(event);
      };
      wrapped.set(listener, receive);
      port.on('message', receive);
    },
    removeEventListener: (_type, listener) => {
      const receive = wrapped.get(listener);
      if (receive !== undefined) port.off('message', receive);
      wrapped.delete(listener);
    },
  };
}
