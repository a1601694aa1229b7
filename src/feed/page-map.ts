// What viewers were shown of all pages, and what has changed since: so much at a time as a tick may cost.
import type { PageReader } from './page-reader.ts';
import { FEED_PAGE, RunWriter } from './page-runs.ts';

/** Entries compared at once, most of which have not changed; the time is looked at in between. */
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

/** Whether there is time for another stretch. */
export type HasTime = () => boolean;
const always: HasTime = () => true;

/** All pages of one end. */
export class PageMap {
  readonly #blocks: readonly ShownBlock[];
  readonly #counts: readonly Float64Array[];
  readonly #fresh = Buffer.alloc(STRETCH);
  readonly #at: PageCursor = { block: 0, entry: 0 };

  constructor(readers: readonly PageReader[]) {
    this.#blocks = readers.map((reader) => ({ reader, shown: Buffer.alloc(reader.count, reader.initial) }));
    this.#counts = readers.map(({ initial, count }) => {
      const counts = new Float64Array(CODES);
      counts[initial] = count;
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

  /**
   * What has changed, in about `budgetBytes` of frames and at least one stretch; what there is no room or time for
   * comes the next time.
   */
  changes(budgetBytes: number, hasTime = always): PagesBody[] {
    const bodies: PagesBody[] = [];
    let toScan = this.#blocks.reduce((sum, { reader }) => sum + reader.count, 0);
    let leftBytes = budgetBytes;
    while (toScan > 0 && leftBytes > HEAD_BYTES) {
      const block = this.#blocks[this.#at.block]!;
      const from = this.#at.entry;
      const to = Math.min(block.reader.count, from + toScan);
      const limitBytes = Math.min(FRAME_BYTES, leftBytes);
      const { body, end } = this.#changesOf(this.#at.block, from, to, limitBytes, hasTime);
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
      if (!hasTime()) break;
    }
    return bodies;
  }

  /** Whether a snapshot has been told up to the last entry. */
  isAtEnd({ block }: PageCursor): boolean {
    return block === this.#blocks.length;
  }

  /**
   * The next piece of a snapshot, from the cursor on, in about `budgetBytes` and at least one stretch; empty when it has
   * all been told.
   */
  snapshot(cursor: PageCursor, budgetBytes: number, hasTime = always): PagesBody[] {
    const bodies: PagesBody[] = [];
    for (let leftBytes = budgetBytes; leftBytes > HEAD_BYTES && cursor.block < this.#blocks.length; ) {
      const { reader, shown } = this.#blocks[cursor.block]!;
      const first = cursor.entry;
      const writer = new RunWriter(Math.min(FRAME_BYTES, leftBytes));
      let end = first;
      do {
        const state = shown[end]!;
        const limit = Math.min(reader.count, end + STRETCH);
        let next = end + 1;
        // Most stretches are of one state: one comparison with itself, moved by one entry, tells.
        const mayBeOne = shown[limit - 1] === state;
        if (mayBeOne && shown.compare(shown, end, limit - 1, end + 1, limit) === 0) next = limit;
        else while (next < limit && shown[next] === state) next += 1;
        if (!writer.add(state, next - end)) break;
        end = next;
      } while (end < reader.count && hasTime());
      const states = writer.take();
      if (states.length === 0) break;
      bodies.push({ block: reader.block, unit: reader.unit, first, full: true, states });
      leftBytes -= states.length + HEAD_BYTES;
      cursor.entry = end;
      if (end === reader.count) {
        cursor.block += 1;
        cursor.entry = 0;
      }
      if (!hasTime()) break;
    }
    return bodies;
  }

  /** Changes among entries from..to of a block, and the entry up to which they were told. */
  #changesOf(
    index: number,
    from: number,
    to: number,
    limitBytes: number,
    hasTime: HasTime,
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
      if (!hasTime()) break;
    }
    const states = writer.take();
    const body =
      first === -1 ? undefined : { block: reader.block, unit: reader.unit, first, full: false, states };
    return { body, end: at };
  }
}
