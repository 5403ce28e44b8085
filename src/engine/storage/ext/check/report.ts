/** What a check says and asks, and what became of it; the sentences are e2fsck's kind. */

/** `-n`: no to every question; `-y`: yes; `-p`: what is safe is done, the rest makes it give up. */
export type CheckMode = 'no' | 'yes' | 'preen';

/** `-p` met what it may not repair by itself. */
export class UnexpectedInconsistency extends Error {}

export class CheckReport {
  /** Problems that were repaired, and that were left. */
  fixed = 0;
  left = 0;

  constructor(
    readonly mode: CheckMode,
    private readonly write: (line: string) => void,
  ) {}

  say(line: string): void {
    this.write(line);
  }

  /** A problem, and whether to repair it. `safe`: `-p` does it too. */
  ask(problem: string, question: string, safe = false): boolean {
    if (this.mode === 'preen') {
      if (!safe) {
        this.left += 1;
        this.write(problem);
        throw new UnexpectedInconsistency(problem);
      }
      this.write(`${problem}  ${question.startsWith('Clear') ? 'CLEARED' : 'FIXED'}.`);
    } else this.write(`${problem}  ${question}? ${this.mode}`);
    if (this.mode === 'no') this.left += 1;
    else this.fixed += 1;
    return this.mode !== 'no';
  }

  /** A problem that is not repaired here. */
  leave(problem: string): void {
    this.left += 1;
    this.write(problem);
    if (this.mode === 'preen') throw new UnexpectedInconsistency(problem);
  }
}
