import { describe, expect, it } from 'vitest';
import { XENCONS_IN_CONS, XENCONS_IN_PROD, XENCONS_OUT, XENCONS_OUT_CONS, XENCONS_OUT_PROD } from '../../abi/console-io.ts';
import { SeededRandom } from '../../xenstore/testing/random.ts';
import { ConsoleBackend, ConsoleWaitError } from './console-backend.ts';
import { Scrollback } from './scrollback.ts';
import { GuestConsole } from './testing/guest-console.ts';

class ManualTimers {
  private tasks: { at: number; task: () => void }[] = [];
  private now = 0;

  readonly after = (delayMs: number, task: () => void): (() => void) => {
    const entry = { at: this.now + delayMs, task };
    this.tasks.push(entry);
    return () => {
      this.tasks = this.tasks.filter((other) => other !== entry);
    };
  };

  get pending(): number {
    return this.tasks.length;
  }

  advance(milliseconds: number): void {
    this.now += milliseconds;
    const due = this.tasks.filter(({ at }) => at <= this.now);
    this.tasks = this.tasks.filter(({ at }) => at > this.now);
    for (const { task } of due) task();
  }
}

function bench(options: { scrollback?: Scrollback; inputLimitBytes?: number } = {}, guest = new GuestConsole()) {
  const timers = new ManualTimers();
  const log: string[] = [];
  const backend = new ConsoleBackend(guest.ring, { timers, log: (line) => log.push(line), name: 'domain 3', ...options });
  return { guest, backend, timers, log };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('output', () => {
  it('is taken on notification, kept and passed on', () => {
    const { guest, backend } = bench();
    const seen: string[] = [];
    const stop = backend.subscribe((piece) => seen.push(new TextDecoder().decode(piece)));
    guest.print('Linux version 6.1\r\n');
    expect(seen).toEqual(['Linux version 6.1\r\n']);
    expect(guest.notifications).toBe(1);
    expect(guest.word(XENCONS_OUT_CONS)).toBe(guest.word(XENCONS_OUT_PROD));
    stop();
    guest.print('more');
    expect(seen).toHaveLength(1);
    expect(backend.text()).toBe('Linux version 6.1\r\nmore');
    expect(backend.position).toBe(23);
  });

  it('is taken on demand too, and nothing is notified when there is nothing', () => {
    const { guest, backend } = bench();
    guest.fill(bytes('early'));
    expect(backend.text()).toBe('');
    backend.poll();
    expect(backend.text()).toBe('early');
    backend.poll();
    expect(guest.notifications).toBe(1);
  });

  it('comes through unchanged however long, over the wrap of ring and indices', () => {
    const guest = new GuestConsole();
    for (const index of [XENCONS_OUT_CONS, XENCONS_OUT_PROD]) guest.setWord(index, 0xfffffe00);
    const { backend } = bench({}, guest);
    const random = new SeededRandom(4);
    const sent: number[] = [];
    for (let i = 0; i < 100; i++) {
      const piece = random.bytes(1 + random.below(5000));
      guest.print(piece);
      sent.push(...piece);
    }
    expect(sent.length).toBeGreaterThan(100_000);
    expect([...backend.scrollback.since(0)]).toEqual(sent);
  });

  it('keeps the last bytes only', () => {
    const { guest, backend } = bench({ scrollback: new Scrollback(100) });
    guest.print('x'.repeat(5000));
    guest.print('END');
    expect(backend.text()).toBe(`${'x'.repeat(97)}END`);
  });

  it('survives a listener that throws', () => {
    const { guest, backend, log } = bench();
    const seen: number[] = [];
    backend.subscribe(() => {
      throw new Error('gone');
    });
    backend.subscribe((piece) => seen.push(piece.length));
    guest.print('abc');
    expect(seen).toEqual([3]);
    expect(log).toEqual(['xenconsoled: a listener to the console of domain 3 failed: Error: gone']);
  });
});

describe('input', () => {
  it('goes to the guest as it takes it', () => {
    const { guest, backend } = bench();
    expect(backend.push(bytes('root\n'))).toBe(5);
    expect(guest.notifications).toBe(1);
    expect(guest.take()).toBe('root\n');
    const long = Array.from({ length: 5000 }, (_, i) => String.fromCharCode(32 + (i % 90))).join('');
    expect(backend.push(bytes(long))).toBe(5000);
    expect(backend.pendingInputBytes).toBe(5000 - 1024);
    let taken = '';
    for (let turn = 0; turn < 20 && taken.length < 5000; turn++) taken += guest.take(700);
    expect(taken).toBe(long);
    expect(backend.pendingInputBytes).toBe(0);
  });

  it('is bounded, and says how much of it was accepted', () => {
    const { backend } = bench({ inputLimitBytes: 2000 });
    expect(backend.push(new Uint8Array(1500))).toBe(1500);
    expect(backend.push(new Uint8Array(9000))).toBe(1524);
    expect(backend.push(new Uint8Array(1))).toBe(0);
    expect(backend.pendingInputBytes).toBe(2000);
  });

  it('does not change after it was pushed', () => {
    const { guest, backend } = bench();
    backend.push(new Uint8Array(1024));
    const mine = bytes('abc');
    backend.push(mine);
    mine.fill(0x7a);
    guest.take();
    expect(guest.take()).toBe('abc');
  });
});

describe('waitFor', () => {
  it('resolves with text that is there, that comes, and that comes in pieces', async () => {
    const { guest, backend, timers } = bench();
    guest.print('booting\n');
    await expect(backend.waitFor('booting')).resolves.toBe('booting');
    const login = backend.waitFor(/\w+ login:/, { timeoutMs: 1000 });
    const umlaut = backend.waitFor('größe');
    guest.print('debian lo');
    guest.print('gin: ');
    await expect(login).resolves.toBe('debian login:');
    expect(timers.pending).toBe(0);
    const word = bytes('größe');
    for (const byte of word) guest.print(Uint8Array.of(byte));
    await expect(umlaut).resolves.toBe('größe');
  });

  it('can leave out what was printed before', async () => {
    const { guest, backend, timers } = bench();
    guest.print('# ');
    const next = backend.waitFor('# ', { from: backend.position, timeoutMs: 10 });
    guest.print('uname\nLinux\n');
    timers.advance(9);
    guest.print('# ');
    await expect(next).resolves.toBe('# ');
  });

  it('rejects after its time with the last lines', async () => {
    const { guest, backend, timers } = bench();
    guest.print(Array.from({ length: 40 }, (_, i) => `line ${i}`).join('\n'));
    const waiting = backend.waitFor('login:', { timeoutMs: 500 });
    timers.advance(500);
    const error = await waiting.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConsoleWaitError);
    expect(String(error)).toContain('waited for login:: it did not come within 500 ms');
    expect(String(error)).toContain('line 39');
    expect(String(error)).not.toContain('line 19\n');
  });

  it('rejects when the console closes, and still finds what was printed', async () => {
    const { guest, backend } = bench();
    const waiting = backend.waitFor('login:');
    guest.fill(bytes('panic'));
    backend.close();
    await expect(waiting).rejects.toThrow('was closed');
    await expect(backend.waitFor('panic')).resolves.toBe('panic');
    await expect(backend.waitFor('login:')).rejects.toThrow('is closed');
    guest.print(new Uint8Array(0));
    guest.fill(bytes('late'));
    guest.kick();
    expect(backend.text()).toBe('panic');
    expect(backend.push(bytes('x'))).toBe(0);
  });

  it('lets go of the page when it closes: behind it is the memory of the whole domain', () => {
    const { guest, backend } = bench();
    expect(Object.values(backend)).toContain(guest.ring);
    backend.close();
    expect(Object.values(backend)).not.toContain(guest.ring);
  });
});

describe('a hostile page', () => {
  it.each([
    [XENCONS_OUT_PROD, 2049, 'output indices are inconsistent: producer 2049, consumer 0'],
    [XENCONS_IN_CONS, 1, 'input indices are inconsistent: producer 0, consumer 1'],
  ])('with the word at byte %i set to %i loses its console', async (word, value, why) => {
    const { guest, backend, log } = bench();
    const waiting = backend.waitFor('x');
    guest.setWord(word, value);
    backend.push(bytes('k'));
    expect(log).toEqual([`xenconsoled: console of domain 3 closed: ${why}`]);
    await expect(waiting).rejects.toThrow('is broken');
    guest.setWord(word, 0);
    guest.kick();
    expect(log).toHaveLength(1);
    expect(guest.notifications).toBe(0);
  });

  it('cannot move the daemon’s own indices', () => {
    const { guest, backend, log } = bench();
    guest.print('abc');
    guest.setWord(XENCONS_OUT_CONS, 0);
    guest.setWord(XENCONS_IN_PROD, 500);
    backend.push(bytes('in'));
    guest.bytes.set(bytes('d'), XENCONS_OUT + 3);
    guest.setWord(XENCONS_OUT_PROD, 4);
    guest.kick();
    expect(backend.text()).toBe('abcd');
    expect(guest.word(XENCONS_IN_PROD)).toBe(2);
    expect(log).toEqual([]);
  });

  it('that prints without end does not hold the daemon', () => {
    const guest = new GuestConsole();
    const { backend } = bench({}, guest);
    let pieces = 0;
    backend.subscribe(() => {
      if (++pieces > 100) throw new Error('still going');
      guest.fill(new Uint8Array(2048));
    });
    guest.fill(new Uint8Array(2048));
    guest.kick();
    expect(pieces).toBe(4);
  });

  it.each([1, 2, 3, 4])('full of noise (seed %i) never gets more out than it put in', (seed) => {
    const random = new SeededRandom(seed);
    const { guest, backend, log } = bench({ scrollback: new Scrollback(10_000) });
    for (let step = 0; step < 500; step++) {
      const choice = random.below(20);
      if (choice === 0) guest.setWord(random.pick([0xc00, 0xc04, 0xc08, 0xc0c]), random.word());
      else if (choice < 4) guest.bytes.set(random.bytes(16), random.below(0xc00));
      else if (choice < 8) backend.push(random.bytes(random.below(100)));
      else guest.setWord(XENCONS_OUT_PROD, guest.word(XENCONS_OUT_PROD) + random.below(300));
      guest.kick();
    }
    expect(log.length).toBeLessThanOrEqual(1);
    expect(backend.pendingInputBytes).toBeLessThanOrEqual(65_536);
    expect(backend.text().length).toBeLessThanOrEqual(10_000);
  });
});
