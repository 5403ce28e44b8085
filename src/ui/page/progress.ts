/** Bars for what takes a while, one a task, in the strip above the terminals. */
import type { Progress } from '../../workers/protocol.ts';
import { byId, element } from './dom.ts';

interface Bar {
  readonly row: HTMLElement;
  readonly meter: HTMLProgressElement;
  readonly percent: HTMLElement;
}

const bars = new Map<string, Bar>();

/** Shows a task's progress; a fraction of 1 takes the bar away. */
export function showProgress({ task, fraction }: Progress): void {
  if (fraction !== undefined && fraction >= 1) {
    bars.get(task)?.row.remove();
    bars.delete(task);
    return;
  }
  const bar = bars.get(task) ?? add(task);
  if (fraction === undefined) {
    bar.meter.removeAttribute('value');
    bar.percent.textContent = '';
  } else {
    bar.meter.value = fraction;
    bar.percent.textContent = `${Math.floor(fraction * 100)} %`;
  }
}

export function clearProgress(): void {
  for (const bar of bars.values()) bar.row.remove();
  bars.clear();
}

function add(task: string): Bar {
  const meter = element('progress', { max: '1', 'aria-label': task });
  const percent = element('span', { class: 'percent' });
  const row = element('div', { class: 'progress' }, element('span', { class: 'task' }, task), meter, percent);
  byId('progress').append(row);
  const bar = { row, meter, percent };
  bars.set(task, bar);
  return bar;
}
