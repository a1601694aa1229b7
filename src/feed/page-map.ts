// What viewers were shown of all pages, and what has changed since: so much at a time as a tick may cost.
import type { PageReader } from './page-reader.ts';
import { FEED_PAGE, RunWriter } from './page-runs.ts';

/** Entries looked at in one tick: a millisecond. More are looked at in turns. */
const SCAN_ENTRIES = 512 * 1024;
/** Compared at once: most stretches have not changed. */
const STRETCH = 4096;
/** Runs of one frame. */
const FRAME_BYTES = 64 * 1024;
/** Head of a frame, beside its runs. */
const HEAD_BYTES = 128;
const CODES = 256;

/** The body of a frame about pages. */
export interface PagesBody {
  readonly block: string;
  readonly unit: number;
  readonly first: number;
  readonly full: boolean;
  readonly states: Uint8Array;
}

interface ShownBlock {
  readonly reader: PageReader;
  /** What all viewers are shown. */
  readonly shown: Buffer;
}

/** Where somebody stands in the row of all blocks. */
export interface PageCursor {
  block: number;
  entry: number;
}

/** All pages of one end. */
export class PageMap {
  readonly #blocks: readonly ShownBlock[];
  readonly #counts: readonly Float64Array[];
  readonly #fresh = Buffer.alloc(STRETCH);
  readonly #at: PageCursor = { block: 0, entry: 0 };

  constructor(readers: readonly PageReader[]) {
    this.#blocks = readers.map((reader) => {
      const shown = Buffer.alloc(reader.count);
      reader.read(0, shown);
      return { reader, shown };
    });
    this.#counts = this.#blocks.map(({ shown }) => {
      const counts = new Float64Array(CODES);
      for (const state of shown) counts[state]! += 1;
      return counts;
    });
  }

  /** Bytes whose state is one of these, as viewers are shown it. */
  bytesIn(...states: readonly number[]): number {
    return this.#blocks.reduce(
      (sum, { reader }, index) =>
        sum + reader.unit * states.reduce((pages, state) => pages + this.#counts[index]![state]!, 0),
      0,
    );
  }

  /** All bytes there are. */
  get totalBytes(): number {
    return this.#blocks.reduce((sum, { reader }) => sum + reader.unit * reader.count, 0);
  }

  /** What has changed, in about `budgetBytes` of frames; what does not fit comes the next time. */
  changes(budgetBytes: number): PagesBody[] {
    const bodies: PagesBody[] = [];
    const total = this.#blocks.reduce((sum, { reader }) => sum + reader.count, 0);
    let toScan = Math.min(SCAN_ENTRIES, total);
    let leftBytes = budgetBytes;
    while (toScan > 0 && leftBytes > HEAD_BYTES) {
      const block = this.#blocks[this.#at.block]!;
      const from = this.#at.entry;
      const to = Math.min(block.reader.count, from + toScan);
      const { body, end } = this.#changesOf(this.#at.block, from, to, Math.min(FRAME_BYTES, leftBytes));
      if (body !== undefined) {
        bodies.push(body);
        leftBytes -= body.states.length + HEAD_BYTES;
      }
      toScan -= end - from;
      this.#at.entry = end;
      if (end === block.reader.count) {
        this.#at.entry = 0;
        this.#at.block = (this.#at.block + 1) % this.#blocks.length;
      }
    }
    return bodies;
  }

  /** The next piece of a snapshot, from the cursor on, in about `budgetBytes`; empty when it has all been told. */
  snapshot(cursor: PageCursor, budgetBytes: number): PagesBody[] {
    const bodies: PagesBody[] = [];
    for (let leftBytes = budgetBytes; leftBytes > HEAD_BYTES && cursor.block < this.#blocks.length; ) {
      const { reader, shown } = this.#blocks[cursor.block]!;
      const first = cursor.entry;
      const writer = new RunWriter(Math.min(FRAME_BYTES, leftBytes));
      let end = first;
      while (end < reader.count) {
        const state = shown[end]!;
        let next = end + 1;
        while (next < reader.count && shown[next] === state) next += 1;
        if (!writer.add(state, next - end)) break;
        end = next;
      }
      const states = writer.take();
      if (states.length === 0) break;
      bodies.push({ block: reader.block, unit: reader.unit, first, full: true, states });
      leftBytes -= states.length + HEAD_BYTES;
      cursor.entry = end;
      if (end === reader.count) {
        cursor.block += 1;
        cursor.entry = 0;
      }
    }
    return bodies;
  }

  /** Changes among entries from..to of a block, and the entry up to which they were told. */
  #changesOf(
    index: number,
    from: number,
    to: number,
    limitBytes: number,
  ): { body: PagesBody | undefined; end: number } {
    const { reader, shown } = this.#blocks[index]!;
    const counts = this.#counts[index]!;
    const writer = new RunWriter(limitBytes);
    let first = -1;
    /** The entry behind the last one that was told. */
    let told = from;
    let at = from;
    scan: while (at < to) {
      const length = Math.min(STRETCH, to - at);
      const fresh = this.#fresh.subarray(0, length);
      reader.read(at, fresh);
      if (fresh.compare(shown, at, at + length) !== 0) {
        for (let i = 0; i < length; ) {
          const state = fresh[i]!;
          const before = shown[at + i]!;
          let end = i + 1;
          if (state === before) {
            i = end;
            continue;
          }
          while (end < length && fresh[end] === state && shown[at + end] !== state) end += 1;
          if (first === -1) {
            first = at + i;
            told = first;
          }
          const gap = at + i - told;
          const hasRoom = (gap === 0 || writer.add(FEED_PAGE.UNCHANGED, gap)) && writer.add(state, end - i);
          if (!hasRoom) {
            at += i;
            break scan;
          }
          for (let k = at + i; k < at + end; k += 1) counts[shown[k]!]! -= 1;
          counts[state]! += end - i;
          shown.fill(state, at + i, at + end);
          told = at + end;
          i = end;
        }
      }
      at += length;
    }
    const states = writer.take();
    const body =
      first === -1 ? undefined : { block: reader.block, unit: reader.unit, first, full: false, states };
    return { body, end: at };
  }
}
