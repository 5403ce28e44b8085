/**
 * Waiting for text to appear in a stream that comes in pieces. A string is found wherever the pieces were cut. A regular
 * expression is tried on the new text together with what came before it, back to the start of a line at most LOOK_BACK
 * characters away, so that a long stream is not searched over and over.
 */

const LOOK_BACK = 8192;

export class TextWatch {
  private text: string;
  private searchedLength = 0;
  private readonly pattern: string | RegExp;

  /** `initial` is what the stream has brought so far. */
  constructor(pattern: string | RegExp, initial: string) {
    this.text = initial;
    // g and y would make a search depend on the one before.
    this.pattern = typeof pattern === 'string' ? pattern : new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
  }

  add(text: string): void {
    this.text += text;
  }

  /** The text that matches, once it is there. */
  search(): string | undefined {
    const found = typeof this.pattern === 'string' ? this.searchString(this.pattern) : this.searchExpression(this.pattern);
    this.searchedLength = this.text.length;
    this.forget();
    return found;
  }

  private searchString(wanted: string): string | undefined {
    const from = Math.max(0, this.searchedLength - wanted.length);
    return this.text.includes(wanted, from) ? wanted : undefined;
  }

  private searchExpression(wanted: RegExp): string | undefined {
    return wanted.exec(this.text.slice(this.lookBackStart()))?.[0];
  }

  private lookBackStart(): number {
    const earliest = this.searchedLength - LOOK_BACK;
    if (earliest <= 0) return 0;
    const newline = this.text.indexOf('\n', earliest);
    return newline >= 0 && newline < this.searchedLength ? newline + 1 : earliest;
  }

  /** Keeps only what a later search may look at. */
  private forget(): void {
    const kept = typeof this.pattern === 'string' ? this.pattern.length : LOOK_BACK;
    const drop = this.text.length - kept;
    if (drop <= LOOK_BACK) return;
    this.text = this.text.slice(drop);
    this.searchedLength -= drop;
  }
}
