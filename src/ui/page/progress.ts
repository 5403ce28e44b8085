/** Bars for what takes a while, one a task, in the strip above the terminals. */
import type { Progress } from '../../workers/protocol.ts';
import { button, byId, element } from './dom.ts';

interface Bar {
  readonly row: HTMLElement;
  readonly meter: HTMLProgressElement;
  readonly percent: HTMLElement;
}

const bars = new Map<string, Bar>();

interface BarOptions {
  /** What the bar's button does; without it there is none. */
  readonly cancel?: () => void;
  /** Shown where the percentage stands as long as there is none: "3.5 MiB". */
  readonly detail?: string;
}

/** Shows a task's progress; a fraction of 1 takes the bar away. */
export function showProgress({ task, fraction }: Progress, { cancel, detail = '' }: BarOptions = {}): void {
  if (fraction !== undefined && fraction >= 1) {
    bars.get(task)?.row.remove();
    bars.delete(task);
    return;
  }
  const bar = bars.get(task) ?? add(task, cancel);
  if (fraction === undefined) {
    bar.meter.removeAttribute('value');
    bar.percent.textContent = detail;
  } else {
    bar.meter.value = fraction;
    bar.percent.textContent = `${Math.floor(fraction * 100)} %`;
  }
}

export function clearProgress(): void {
  for (const bar of bars.values()) bar.row.remove();
  bars.clear();
}

function add(task: string, cancel: (() => void) | undefined): Bar {
  const meter = element('progress', { max: '1', 'aria-label': task });
  const percent = element('span', { class: 'percent' });
  const row = element('div', { class: 'progress' }, element('span', { class: 'task' }, task), meter, percent);
  if (cancel !== undefined) row.append(button('Cancel', cancel, { 'aria-label': `Cancel: ${task}` }));
  byId('progress').append(row);
  const bar = { row, meter, percent };
  bars.set(task, bar);
  return bar;
}
