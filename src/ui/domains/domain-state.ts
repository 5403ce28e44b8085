/** What the six characters of a domain's state mean to the user, and which commands make sense in it. */

export interface DomainState {
  readonly word: 'running' | 'idle' | 'paused' | 'shut down' | 'crashed' | 'dying' | 'ready';
  readonly paused: boolean;
  /** Its kernel is gone: nothing is left to shut down. */
  readonly over: boolean;
}

/** @param state "rbpscd" with a dash for each that is not so, as xm list prints it */
export function describeState(state: string): DomainState {
  const paused = state.includes('p');
  if (state.includes('d')) return { word: 'dying', paused, over: true };
  if (state.includes('c')) return { word: 'crashed', paused, over: true };
  if (state.includes('s')) return { word: 'shut down', paused, over: true };
  if (paused) return { word: 'paused', paused, over: false };
  if (state.includes('r')) return { word: 'running', paused, over: false };
  if (state.includes('b')) return { word: 'idle', paused, over: false };
  return { word: 'ready', paused, over: false };
}

/** "12.3 s", "4 min 05 s", "2 h 03 min". */
export function describeTime(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  const pad = (value: number): string => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
}
