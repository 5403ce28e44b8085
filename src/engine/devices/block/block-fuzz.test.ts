/**
 * A hostile front end beside an honest one. The hostile one puts random requests, changes pages while they are worked on and spoils
 * its ring; it may lose its device, again and again, and nothing else. The honest one's reads and writes go on all the while, each
 * checked. WEBXEN_FUZZ_REQUESTS says how many requests, for the soak.
 */
import { expect, it } from 'vitest';
import { BLKIF_OP_DISCARD as DISCARD, BLKIF_OP_INDIRECT as INDIRECT } from '../../abi/blkif.ts';
import { RING_REQ_EVENT, RING_REQ_PROD, RING_RSP_EVENT } from '../../abi/io-ring.ts';
import { MemoryChunkStore } from '../../storage/memory-chunk-store.ts';
import type { Volume } from '../../storage/volume.ts';
import { VolumePool } from '../../storage/volume-pool.ts';
import { XenstoreServer } from '../../xenstore/server.ts';
import { SeededRandom } from '../../xenstore/testing/random.ts';
import { BlockBackend } from './block-backend.ts';
import { DEFAULT_OFFER } from './block-device.ts';
import { FLUSH, READ, WRITE, settle } from './testing/block-bench.ts';
import { BlockFront, FakeGuest, putSegment, turn } from './testing/block-guest.ts';

const REQUESTS = Number(process.env['WEBXEN_FUZZ_REQUESTS'] ?? 4000);
const SECTORS = 8192;
const HOSTILE = 7;
const HONEST = 8;
const BOUNDARY = 0x5a;

/** A front end that reconnects when it is cut off. */
async function connect(front: BlockFront, log: readonly string[]): Promise<void> {
  front.state(6);
  await settle();
  front.state(1);
  await settle();
  front.offer();
  await settle();
  expect(front.backState, log.join('; ')).toBe('4');
}

/** Whether all of these bytes have one value; compared as a whole, since it is asked millions of times. */
const filledWith = (bytes: Uint8Array, value: number): boolean => Buffer.alloc(bytes.length, value).equals(bytes);

/** Writes a page's worth of sectors, reads them back, compares. */
class Honest {
  private readonly page: number;
  private done = 0;

  constructor(
    private readonly front: BlockFront,
    private readonly guest: FakeGuest,
  ) {
    this.page = guest.grant();
  }

  get rounds(): number {
    return this.done;
  }

  async round(): Promise<void> {
    const { front, guest, page } = this;
    const sector = ((this.done * 7919) % (SECTORS / 8)) * 8;
    const value = this.done % 251;
    // The fake guest keeps what was stored to a page, for tests that ask.
    guest.page(page).stores.length = 0;
    this.done += 1;
    guest.page(page).bytes.fill(value);
    await this.finish(front.request(WRITE, sector, [{ gref: page, first: 0, last: 7 }]));
    guest.page(page).bytes.fill(255);
    await this.finish(front.request(READ, sector, [{ gref: page, first: 0, last: 7 }]));
    if (!filledWith(guest.page(page).bytes, value)) throw new Error(`round ${this.done} did not read back what it wrote`);
  }

  private async finish(id: bigint): Promise<void> {
    let answers = await this.front.push();
    for (let n = 0; n < 100 && !answers.has(id); n += 1) {
      await turn();
      answers = this.front.answers();
    }
    const status = answers.get(id)?.status;
    if (status !== 0) throw new Error(`an honest request ended with status ${status}`);
  }
}

/** Puts what it likes. */
class Hostile {
  private readonly secret: number;
  private readonly pages: number[];
  private requests = 0;

  constructor(
    private readonly front: BlockFront,
    private readonly guest: FakeGuest,
    private readonly random: SeededRandom,
  ) {
    // Readable only: no read of the disk may land there.
    this.secret = guest.grant(undefined, true);
    guest.page(this.secret).bytes.fill(3);
    this.pages = [guest.grant(), guest.grant(), guest.grant()];
  }

  get put(): number {
    return this.requests;
  }

  /** Some requests; then it goes on writing to pages that the back end is looking at. */
  async burst(): Promise<void> {
    const { front, guest, random } = this;
    const free = front.rings[0]?.free ?? 0;
    for (let n = Math.min(free, 1 + random.below(12)); n > 0; n -= 1) {
      front.raw(this.request());
      this.requests += 1;
    }
    const ring = front.rings[0];
    if (random.below(60) === 0)
      ring?.setWord(random.pick([RING_REQ_EVENT, RING_RSP_EVENT, RING_REQ_PROD]), random.below(2 ** 31) * 2);
    const pushed = front.push();
    for (const page of this.pages) guest.page(page).stores.length = 0;
    for (let n = 0; n < 4; n += 1) guest.page(random.pick(this.pages)).bytes.set(random.bytes(64), random.below(4096 - 64));
    await pushed;
    for (let n = 0; n < 20 && front.backState === '4' && (ring?.free ?? 0) < (ring?.entries ?? 0); n += 1) {
      await turn();
      front.answers();
    }
  }

  check(): void {
    expect(filledWith(this.guest.page(this.secret).bytes, 3)).toBe(true);
  }

  private request(): Uint8Array {
    const { random } = this;
    const bytes = random.bytes(112);
    if (random.below(50) === 0) return bytes;
    const view = new DataView(bytes.buffer);
    const operation = random.pick([READ, READ, READ, WRITE, WRITE, WRITE, FLUSH, DISCARD, INDIRECT]);
    bytes[0] = operation;
    view.setBigUint64(16, BigInt(random.below(SECTORS + 64)), true);
    if (operation === INDIRECT) {
      bytes[1] = random.below(2);
      view.setUint16(2, random.below(300), true);
      // The page of segments is one that is changed at any time.
      for (let at = 24; at + 4 <= 112; at += 4) view.setUint32(at, random.pick(this.pages), true);
      this.fillSegments(random.pick(this.pages));
      return bytes;
    }
    if (operation === DISCARD) {
      view.setBigUint64(24, BigInt(random.below(SECTORS)), true);
      return bytes;
    }
    bytes[1] = 1 + random.below(11);
    for (let segment = 0; segment < 11; segment += 1) {
      const first = random.below(8);
      const gref = operation === READ && random.below(30) > 0 ? random.pick(this.pages) : random.pick([...this.pages, this.secret]);
      putSegment(view, 24 + segment * 8, { gref, first, last: first + random.below(8 - first) });
    }
    return bytes;
  }

  private fillSegments(gref: number): void {
    const { bytes } = this.guest.page(gref);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < 4096; at += 8) {
      const first = this.random.below(8);
      putSegment(view, at, { gref: this.random.pick(this.pages), first, last: first + this.random.below(8 - first) });
    }
  }
}

it(`${REQUESTS} random requests reach nothing but their own disk and pages, and disturb nobody`, async () => {
  const server = new XenstoreServer({ schedule: (task) => setImmediate(task), log: () => undefined });
  const store = server.connect();
  const pool = await VolumePool.open(new MemoryChunkStore());
  const volumes = new Map<number, Volume>();
  for (const domid of [HOSTILE, HONEST]) volumes.set(domid, await pool.create(`vg/${domid}`, SECTORS * 512));
  // What lies between: no domain has it.
  const between = await pool.create('between', SECTORS * 512);
  await between.write(0, new Uint8Array(SECTORS * 512).fill(BOUNDARY));
  await pool.flush();
  const log: string[] = [];
  const guests = new Map([HOSTILE, HONEST].map((domid) => [domid, new FakeGuest()]));
  new BlockBackend({
    store,
    guest: (domid) => guests.get(domid),
    open: ({ frontDomid }) => {
      const image = volumes.get(frontDomid);
      if (image === undefined) return Promise.reject(new Error('no disk'));
      return Promise.resolve({ image, nodes: { 'physical-device': 'fe:0' }, close: () => Promise.resolve() });
    },
    schedule: (task) => setImmediate(task),
    later: (task) => setImmediate(task),
    log: (line) => log.push(line),
    offer: DEFAULT_OFFER,
  });
  const random = new SeededRandom(Number(process.env['WEBXEN_FUZZ_SEED'] ?? 4));
  const [badGuest, goodGuest] = [guests.get(HOSTILE)!, guests.get(HONEST)!];
  const [bad, good] = [HOSTILE, HONEST].map((domid) => {
    BlockFront.describe(store, { domid });
    return new BlockFront(store, guests.get(domid)!, { domid });
  }) as [BlockFront, BlockFront];
  await settle();
  for (const front of [bad, good]) front.offer();
  await settle();
  const honest = new Honest(good, goodGuest);
  const hostile = new Hostile(bad, badGuest, random);

  let cuts = 0;
  let running = true;
  const honestWork = (async () => {
    while (running) await honest.round();
  })();
  while (hostile.put < REQUESTS) {
    if (bad.backState !== '4') {
      cuts += 1;
      await connect(bad, log);
    }
    await hostile.burst();
  }
  running = false;
  await honestWork;
  expect(cuts).toBeGreaterThan(REQUESTS / 1000);
  expect(honest.rounds).toBeGreaterThan(REQUESTS / 200);
  hostile.check();
  expect(good.backState).toBe('4');
  const after = new Uint8Array(SECTORS * 512);
  await between.read(0, after);
  expect(filledWith(after, BOUNDARY)).toBe(true);
  for (const volume of volumes.values()) expect(volume.sectors).toBe(SECTORS);
  for (const front of [bad, good]) front.state(6);
  await settle();
  expect([badGuest.mapped, goodGuest.mapped]).toEqual([0, 0]);
}, 3_600_000);
