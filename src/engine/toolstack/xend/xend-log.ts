/** xend's log file, in the layout of the 3.0 tools, turned over when it reaches 1 MB. */
import type { FileSystem } from '../../storage/file-system.ts';
import { civilDate } from '../../storage/civil-date.ts';
import { encodeUtf8 } from '../../storage/utf8.ts';
import type { Clock } from '../services.ts';

export const XEND_LOG = '/var/log/xend.log';
const ROTATE_AT_BYTES = 1_000_000;
const OLD_FILES = 5;

export type LogLevel = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR';

export class XendLog {
  private readonly _files: FileSystem;
  private readonly _clock: Clock;
  private _tail: Promise<void> = Promise.resolve();

  constructor(files: FileSystem, clock: Clock) {
    this._files = files;
    this._clock = clock;
  }

  /** Never fails: a full file system must not keep a domain from being cleaned up. */
  write(level: LogLevel, text: string, part = 'XendDomainInfo'): void {
    const line = `[${formatLogTime(this._clock.nowMs())} xend.${part}] ${level} (${part}) ${text.replaceAll('\n', ' ')}\n`;
    this._tail = this._tail.then(() => this._append(line)).catch(() => undefined);
  }

  /** Resolves when all that was written so far is in the file. */
  async settled(): Promise<void> {
    await this._tail;
  }

  private async _append(line: string): Promise<void> {
    await this._files.makeDirectory('/var/log', { recursive: true });
    await this._rotate();
    await this._files.appendFile(XEND_LOG, encodeUtf8(line));
  }

  private async _rotate(): Promise<void> {
    if (!(await this._files.exists(XEND_LOG)) || (await this._files.stat(XEND_LOG)).sizeBytes < ROTATE_AT_BYTES) return;
    for (let number = OLD_FILES - 1; number >= 0; number--) {
      const from = number === 0 ? XEND_LOG : `${XEND_LOG}.${number}`;
      if (await this._files.exists(from)) await this._files.move(from, `${XEND_LOG}.${number + 1}`);
    }
  }
}

/** "2005-12-06 13:02:01", UTC. */
export function formatLogTime(timeMs: number): string {
  const total = Math.floor(timeMs / 1000);
  const { year, month, day } = civilDate(Math.floor(total / 86400));
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = [Math.floor(total / 3600) % 24, Math.floor(total / 60) % 60, total % 60].map(two).join(':');
  return `${year}-${two(month)}-${two(day)} ${clock}`;
}
