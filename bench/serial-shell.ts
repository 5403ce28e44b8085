/** A guest's shell on a serial line: logs in, runs commands, finds their output between marks. */
import type { CommandResult } from './guest.ts';

export interface SerialLine {
  /** Types. */
  send(text: string): Promise<void>;
  /** Resolves with all text so far as soon as the pattern is in it behind `from`; rejects after timeoutMs with the last lines. */
  waitFor(pattern: RegExp, from: number, timeoutMs: number): Promise<string>;
}

export class SerialShell {
  private marks = 0;
  /** What is behind is known. */
  private seen = 0;

  constructor(private readonly line: SerialLine) {}

  async login(timeoutMs: number): Promise<void> {
    await this.expect(/login: /, timeoutMs);
    await this.line.send('root\r');
    await this.expect(/Password: /, timeoutMs);
    await this.line.send('xen\r');
    await this.expect(/root@\S+:~# /, timeoutMs);
  }

  async run(command: string, timeoutMs: number): Promise<CommandResult> {
    this.marks += 1;
    // The marks are typed with quotes inside, so that the terminal's echo of them does not look like them.
    await this.line.send(`echo begin-""${this.marks}; ${command}; echo end-""${this.marks}-$?\r`);
    const text = await this.expect(new RegExp(`end-${this.marks}-\\d+\\s`), timeoutMs);
    const [, output = '', exitCode] = new RegExp(`begin-${this.marks}\r?\n(.*)end-${this.marks}-(\\d+)`, 's').exec(text) ?? [];
    return { output: output.replaceAll('\r', ''), exitCode: Number(exitCode) };
  }

  private async expect(pattern: RegExp, timeoutMs: number): Promise<string> {
    const text = (await this.line.waitFor(pattern, this.seen, timeoutMs)).slice(this.seen);
    this.seen += (pattern.exec(text)?.index ?? 0) + (pattern.exec(text)?.[0].length ?? 0);
    return text;
  }
}
