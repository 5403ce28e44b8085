import { describe, expect, it } from 'vitest';
import { RING_REQ_EVENT, RING_REQ_PROD, RING_RSP_EVENT, RING_RSP_PROD } from '../../abi/io-ring.ts';
import { SeededRandom } from '../../xenstore/testing/random.ts';
import { BackRing, RingBrokenError, ringEntries } from './back-ring.ts';
import { FrontRing, ringPages } from './testing/front-ring.ts';

const BLKIF = { requestBytes: 112, responseBytes: 16 };
const NETIF_TX = { requestBytes: 12, responseBytes: 4 };
const NETIF_RX = { requestBytes: 8, responseBytes: 8 };

describe('ringEntries', () => {
  it.each([
    ['blkif', BLKIF, [32, 64, 128, 256, 512]],
    ['netif tx', NETIF_TX, [256, 512, 1024, 2048, 4096]],
    ['netif rx', NETIF_RX, [256, 512, 1024, 4096 / 2, 4096]],
  ])('%s', (_name, shape, expected) => {
    expect([1, 2, 4, 8, 16].map((pages) => ringEntries(pages, shape))).toEqual(expected);
  });
});

describe('the page, byte for byte', () => {
  it('holds a netif tx exchange where the ABI has it', () => {
    const pages = ringPages(1);
    const { bytes } = pages[0]!;
    const front = new FrontRing(pages, NETIF_TX);
    expect([...bytes.subarray(0, 16)]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    const back = new BackRing(pages, NETIF_TX);
    // gref 1035, offset 0x10, flags 4, id 7, size 1514; then a second one.
    bytes.set([0x0b, 0x04, 0, 0, 0x10, 0, 0x04, 0, 0x07, 0, 0xea, 0x05], 0x40);
    bytes.set([0x0c, 0x04, 0, 0, 0, 0, 0, 0, 0x08, 0, 0x2a, 0x00], 0x4c);
    front.setWord(RING_REQ_PROD, 2);
    const request = new Uint8Array(12);
    expect(back.unconsumedRequests()).toBe(2);
    expect(back.takeRequest(request)).toBe(true);
    expect([...request]).toEqual([0x0b, 0x04, 0, 0, 0x10, 0, 0x04, 0, 0x07, 0, 0xea, 0x05]);
    expect(back.takeRequest(request)).toBe(true);
    expect([...request]).toEqual([0x0c, 0x04, 0, 0, 0, 0, 0, 0, 0x08, 0, 0x2a, 0x00]);
    expect(back.takeRequest(request)).toBe(false);
    expect(back.requestsInWork).toBe(2);
    back.putResponse(Uint8Array.of(8, 0, 0, 0));
    expect(front.word(RING_RSP_PROD)).toBe(0);
    expect(back.publishResponses()).toBe(true);
    expect(back.finalCheckForRequests()).toBe(false);
    // The response overwrites the first bytes of the oldest entry; the rest of it stays.
    expect([...bytes.subarray(0x40, 0x4c)]).toEqual([8, 0, 0, 0, 0x10, 0, 0x04, 0, 0x07, 0, 0xea, 0x05]);
    expect([...bytes.subarray(0, 16)]).toEqual([2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
    expect([...bytes.subarray(0x10, 0x40)].every((byte) => byte === 0)).toBe(true);
    back.putResponse(Uint8Array.of(7, 0, 0xff, 0xff));
    expect(back.publishResponses()).toBe(false);
    expect([...bytes.subarray(0x4c, 0x50)]).toEqual([7, 0, 0xff, 0xff]);
  });

  it('puts blkif entries of several pages across their borders', () => {
    const pages = ringPages(4);
    const front = new FrontRing(pages, BLKIF);
    const back = new BackRing(pages, BLKIF);
    expect(back.entries).toBe(128);
    const request = new Uint8Array(112);
    for (let i = 0; i < 128; i++) front.put(Uint8Array.from({ length: 112 }, (_, at) => (i * 3 + at) & 0xff));
    expect(front.push()).toBe(true);
    for (let i = 0; i < 128; i++) {
      expect(back.takeRequest(request)).toBe(true);
      expect([...request]).toEqual(Array.from({ length: 112 }, (_, at) => (i * 3 + at) & 0xff));
    }
    // Entry 36 begins at 0x40 + 36 * 112 = 0x1000: the first of the second page. Entry 72 lies across the next border.
    for (let i = 0; i < 128; i++) back.putResponse(new Uint8Array(16).fill(i));
    back.publishResponses();
    expect([...pages[1]!.bytes.subarray(0, 17)]).toEqual([...new Array<number>(16).fill(36), 36 * 3 + 16]);
    const border = 0x40 + 72 * 112 - 0x2000;
    expect(border).toBe(-64);
    expect([...pages[1]!.bytes.subarray(4096 - 64, 4096 - 48)]).toEqual(new Array<number>(16).fill(72));
    for (let i = 0; i < 128; i++) expect([...front.take()!]).toEqual(new Array<number>(16).fill(i));
    expect(front.take()).toBeUndefined();
  });
});

describe('notification', () => {
  it.each([
    // published before, responses added, rsp_event, notify
    [0, 1, 1, true],
    [0, 3, 1, true],
    [0, 3, 3, true],
    [0, 3, 4, false],
    [2, 1, 1, false],
    [2, 1, 3, true],
    [2, 2, 2, false],
    [0, 0, 1, false],
  ])('after %i responses, %i more with rsp_event %i: %s', (before, more, event, notify) => {
    const front = new FrontRing(ringPages(1), NETIF_RX);
    const back = new BackRing(front.pages, NETIF_RX);
    for (let i = 0; i < before + more; i++) front.put(new Uint8Array(8));
    front.push();
    const request = new Uint8Array(8);
    while (back.takeRequest(request));
    for (let i = 0; i < before; i++) back.putResponse(new Uint8Array(8));
    back.publishResponses();
    front.setWord(RING_RSP_EVENT, event);
    for (let i = 0; i < more; i++) back.putResponse(new Uint8Array(8));
    expect(back.publishResponses()).toBe(notify);
  });

  it('is asked for the next request only once all have been taken', () => {
    const front = new FrontRing(ringPages(1), NETIF_RX);
    const back = new BackRing(front.pages, NETIF_RX);
    front.put(new Uint8Array(8));
    front.push();
    expect(back.finalCheckForRequests()).toBe(true);
    expect(front.word(RING_REQ_EVENT)).toBe(1);
    back.takeRequest(new Uint8Array(8));
    expect(back.finalCheckForRequests()).toBe(false);
    expect(front.word(RING_REQ_EVENT)).toBe(2);
    front.put(new Uint8Array(8));
    expect(front.push()).toBe(true);
    front.put(new Uint8Array(8));
    expect(front.push()).toBe(false);
  });

  it.each([
    [1, NETIF_TX, 1, 0],
    [2, NETIF_TX, 1, 0xffffff80],
    [3, BLKIF, 1, 0xfffffff0],
    [4, BLKIF, 4, 0xffffffff],
    [5, NETIF_RX, 2, 0x7fffffff],
  ])('loses no request and no response (seed %i)', (seed, shape, pageCount, start) => {
    const random = new SeededRandom(seed);
    const front = new FrontRing(ringPages(pageCount), shape, start);
    const back = new BackRing(front.pages, shape);
    const request = new Uint8Array(shape.requestBytes);
    let [backAwake, frontAwake] = [false, true];
    let [sent, received, notifications] = [0, 0, 0];
    const wanted = 3000;
    const frontTurn = (): void => {
      if (!frontAwake) return;
      for (let response = front.take(); response !== undefined; response = front.take()) {
        expect(new DataView(response.buffer).getUint32(0, true)).toBe(received);
        received++;
      }
      for (let burst = random.below(8); burst > 0 && front.free > 0 && sent < wanted; burst--) {
        new DataView(request.buffer).setUint32(0, sent++, true);
        front.put(request);
      }
      if (front.push()) {
        backAwake = true;
        notifications++;
      }
      if (!front.finalCheck() && (front.free === 0 || sent === wanted)) frontAwake = false;
    };
    const backTurn = (): void => {
      if (!backAwake) return;
      const taken = new Uint8Array(shape.requestBytes);
      for (let burst = 1 + random.below(8); burst > 0 && back.takeRequest(taken); burst--) {
        back.putResponse(taken.slice(0, shape.responseBytes));
      }
      if (back.publishResponses()) {
        frontAwake = true;
        notifications++;
      }
      if (!back.finalCheckForRequests()) backAwake = false;
    };
    for (let step = 0; step < 50_000 && received < wanted; step++) {
      if (random.below(2) === 0) frontTurn();
      else backTurn();
    }
    expect(received).toBe(wanted);
    expect(notifications).toBeLessThan(2 * wanted);
  });
});

describe('a hostile front end', () => {
  it.each([
    [33, 0, 'more than the ring holds'],
    [0xffffffff, 0, 'a producer behind the consumer'],
    [0x80000000, 0, 'far away'],
  ])('with req_prod %i breaks the ring', (producer) => {
    const front = new FrontRing(ringPages(1), BLKIF);
    const back = new BackRing(front.pages, BLKIF);
    front.setWord(RING_REQ_PROD, producer);
    expect(() => back.unconsumedRequests()).toThrow(RingBrokenError);
    expect(() => back.takeRequest(new Uint8Array(112))).toThrow(RingBrokenError);
    expect(() => back.finalCheckForRequests()).toThrow(RingBrokenError);
  });

  it('may not take requests back that were taken', () => {
    const front = new FrontRing(ringPages(1), BLKIF);
    const back = new BackRing(front.pages, BLKIF);
    for (let i = 0; i < 4; i++) front.put(new Uint8Array(112));
    front.push();
    const request = new Uint8Array(112);
    while (back.takeRequest(request));
    front.setWord(RING_REQ_PROD, 3);
    expect(() => back.unconsumedRequests()).toThrow(
      'request producer 3 does not fit a ring of 32 with consumer 4 and responses to 0',
    );
  });

  it('cannot have more requests in work than the ring has entries', () => {
    const front = new FrontRing(ringPages(1), BLKIF);
    const back = new BackRing(front.pages, BLKIF);
    front.setWord(RING_REQ_PROD, 32);
    const request = new Uint8Array(112);
    for (let i = 0; i < 32; i++) back.takeRequest(request);
    expect(back.takeRequest(request)).toBe(false);
    front.setWord(RING_REQ_PROD, 33);
    expect(() => back.takeRequest(request)).toThrow(RingBrokenError);
  });

  it('does not change a request after it was taken, nor our indices', () => {
    const front = new FrontRing(ringPages(1), NETIF_RX);
    const back = new BackRing(front.pages, NETIF_RX);
    front.put(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    front.push();
    const request = new Uint8Array(8);
    back.takeRequest(request);
    front.pages[0]!.bytes.fill(0xee, 0x40);
    front.setWord(RING_RSP_PROD, 1000);
    expect([...request]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    back.putResponse(request);
    back.publishResponses();
    expect(front.word(RING_RSP_PROD)).toBe(1);
  });

  it('cannot start a ring that is broken from the beginning', () => {
    const front = new FrontRing(ringPages(1), BLKIF);
    front.setWord(RING_RSP_PROD, 100);
    front.setWord(RING_REQ_PROD, 99);
    expect(() => new BackRing(front.pages, BLKIF)).toThrow(RingBrokenError);
  });
});

describe('mistakes of the back end itself', () => {
  it('are refused', () => {
    const front = new FrontRing(ringPages(1), NETIF_TX);
    const back = new BackRing(front.pages, NETIF_TX);
    expect(() => {
      back.putResponse(new Uint8Array(4));
    }).toThrow(RangeError);
    front.put(new Uint8Array(12));
    front.push();
    back.takeRequest(new Uint8Array(12));
    expect(() => {
      back.putResponse(new Uint8Array(13));
    }).toThrow(RangeError);
    expect(() => new BackRing([], NETIF_TX)).toThrow(RangeError);
  });

  it('a ring goes on where the last back end stopped', () => {
    const front = new FrontRing(ringPages(1), NETIF_TX, 500);
    front.put(new Uint8Array(12));
    front.push();
    const back = new BackRing(front.pages, NETIF_TX);
    expect(back.unconsumedRequests()).toBe(1);
  });
});
