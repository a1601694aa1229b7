// Finds in a captured stream what the guest of the captures wrote, without any knowledge of the stream's format.

/** First address that the guest walks, in bytes. */
export const WALK_START = 0x100000;
/** Pages that it walks. */
export const WALK_PAGE_COUNT = 1024;
const PAGE_BYTES = 4096;
const MARK_BYTES = 8;

/** How far the guest had walked: pages before the edge hold `before`, the others `after`. */
export interface GuestWalk {
  readonly before: number;
  readonly after: number;
  /** Index of the first walked page that holds `after`; `WALK_PAGE_COUNT` if none does. */
  readonly edge: number;
}

/** What the guest writes beside its counter: the page's own address and its complement. */
function mark(address: number): Buffer {
  const bytes = Buffer.alloc(MARK_BYTES);
  bytes.writeUInt32LE(address, 0);
  bytes.writeUInt32LE(~address >>> 0, 4);
  return bytes;
}

/**
 * The counter of each walked page as it was sent last. `streams` are searched from the last one on: a page that came by
 * the preempt channel came after the switchover, so nothing on the main stream is newer.
 */
export function lastCounters(streams: readonly Uint8Array[]): number[] {
  return Array.from({ length: WALK_PAGE_COUNT }, (_, index) => {
    const address = WALK_START + index * PAGE_BYTES;
    for (const stream of [...streams].reverse()) {
      const buffer = Buffer.from(stream.buffer, stream.byteOffset, stream.length);
      const at = buffer.lastIndexOf(mark(address));
      if (at >= 0) return buffer.readUInt32LE(at - 4);
    }
    throw new Error(`the page at ${address.toString(16)} was never sent`);
  });
}

/** Where the counters step. @throws if they step more than once: then pages of different moments were mixed. */
export function walkOf(counters: readonly number[]): GuestWalk {
  const edge = counters.findIndex((counter) => counter !== counters[0]);
  const [before, after] = [counters[0]!, counters[edge] ?? counters[0]!];
  if (edge >= 0 && counters.slice(edge).some((counter) => counter !== after)) {
    throw new Error('the counters of the guest step more than once');
  }
  return { before, after, edge: edge < 0 ? WALK_PAGE_COUNT : edge };
}

/** All RAM of a guest that had walked so far: its counters and marks, and zeros everywhere else. */
export function ramOf({ before, after, edge }: GuestWalk, lengthBytes: number): Buffer {
  const ram = Buffer.alloc(lengthBytes);
  for (let index = 0; index < WALK_PAGE_COUNT; index += 1) {
    const address = WALK_START + index * PAGE_BYTES;
    ram.writeUInt32LE(index < edge ? before : after, address);
    mark(address).copy(ram, address + 4);
  }
  return ram;
}
