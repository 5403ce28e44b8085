/** What passes between dom0 and the thread that runs one configuration script. */
import type { ScriptOutcome, ScriptRequest } from '../../engine/toolstack/configuration/script.ts';

export type ToScriptWorker =
  { readonly kind: 'load'; readonly wasmUrl: string | undefined } | { readonly kind: 'run'; readonly request: ScriptRequest };

export type FromScriptWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly outcome: ScriptOutcome }
  | { readonly kind: 'failed'; readonly message: string };

/** A thread with the interpreter in it, however the platform makes one. */
export interface ScriptWorker {
  post(message: ToScriptWorker): void;
  onMessage(listener: (message: FromScriptWorker) => void): void;
  onError(listener: (message: string) => void): void;
  terminate(): void;
}
