// States of pages as runs, and back. Pure.
import { ProtocolError } from '../errors.ts';

/** What became of a page, as a code of one byte. */
export const FEED_PAGE = {
  MISSING: 0,
  REQUESTED: 1,
  ARRIVING: 2,
  /** Present, by how it came: pushed, requested, all zero, or before the switchover. */
  PUSHED: 3,
  BY_REQUEST: 4,
  ZERO: 5,
  /** Taken back by the source, and missing. */
  DISCARDED: 6,
  PRECOPY: 7,
  /** At the source: never sent, sent and clean, sent and written since. */
  TO_SEND: 8,
  SENT: 9,
  DIRTY: 10,
  /** In a frame that is not of a snapshot: as it was. */
  UNCHANGED: 255,
} as const;
/** One value of `FEED_PAGE`. */
export type FeedPage = (typeof FEED_PAGE)[keyof typeof FEED_PAGE];

/** u8 state, u32be count. */
const RUN_BYTES = 5;
const LAST_STATE = FEED_PAGE.DIRTY;

/** Gathers runs up to a number of bytes. */
export class RunWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #length = 0;
  #state = -1;
  #count = 0;

  constructor(limitBytes: number) {
    this.#bytes = new Uint8Array(Math.floor(limitBytes / RUN_BYTES) * RUN_BYTES);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Adds entries of one state; false, and nothing is added, if there is no room for them. */
  add(state: number, count: number): boolean {
    if (state !== this.#state) {
      const pendingBytes = this.#count === 0 ? 0 : RUN_BYTES;
      if (this.#length + pendingBytes + RUN_BYTES > this.#bytes.length) return false;
      this.#flush();
      this.#state = state;
    }
    this.#count += count;
    return true;
  }

  /** The runs so far; the writer begins anew. */
  take(): Uint8Array {
    this.#flush();
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    this.#state = -1;
    return taken;
  }

  #flush(): void {
    if (this.#count === 0) return;
    this.#bytes[this.#length] = this.#state;
    this.#view.setUint32(this.#length + 1, this.#count);
    this.#length += RUN_BYTES;
    this.#count = 0;
  }
}

/**
 * Lays runs over the states of a block, from entry `first` on; what is unchanged stays. Returns the entry behind the
 * last. Nothing is changed unless all is good. @throws ProtocolError `bad-runs`
 */
export function applyRuns(states: Uint8Array, first: number, runs: Uint8Array): number {
  const view = new DataView(runs.buffer, runs.byteOffset, runs.length);
  const walk = (visit: (state: number, from: number, to: number) => void): number => {
    let at = first;
    for (let run = 0; run < runs.length; run += RUN_BYTES) {
      const count = view.getUint32(run + 1);
      visit(runs[run]!, at, at + count);
      at += count;
    }
    return at;
  };
  if (runs.length % RUN_BYTES !== 0) {
    throw new ProtocolError('bad-runs', `expected runs of ${RUN_BYTES} bytes, found ${runs.length} bytes`);
  }
  walk((state, _from, to) => {
    if (to > states.length) {
      throw new ProtocolError('bad-runs', `expected at most ${states.length} pages, found a run up to ${to}`);
    }
    if (state > LAST_STATE && state !== FEED_PAGE.UNCHANGED) {
      throw new ProtocolError('bad-runs', `expected the state of a page, found ${state}`);
    }
  });
  return walk((state, from, to) => {
    if (state !== FEED_PAGE.UNCHANGED) states.fill(state, from, to);
  });
}
