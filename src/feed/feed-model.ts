// What a viewer knows of one end, from its frames: of a live feed, or of a saved one. Pure.
import { ProtocolError } from '../errors.ts';
import type { FeedBody, FeedFrame, FeedKind } from './feed-messages.ts';
import { applyRuns } from './page-runs.ts';

/** A block of more entries is refused: nobody could look at them. */
const MOST_ENTRIES = 2 ** 26;
/** What is kept of that which goes on and on. */
const KEPT_PASSES = 256;
const KEPT_RECORDS = 64;

/** The pages of one block. */
export interface ModelBlock {
  readonly name: string;
  /** Bytes of an entry. */
  readonly unit: number;
  /** A code of `FEED_PAGE` for each. */
  readonly states: Uint8Array;
}

type Last = { -readonly [K in FeedKind]?: FeedBody<K> };

/** One end as its frames tell it. */
export class FeedModel {
  /** The last body of each kind; of `faults` and `records` that is only the newest piece. */
  readonly last: Readonly<Last>;
  readonly blocks = new Map<string, ModelBlock>();
  passes: FeedBody<'pass'>[] = [];
  records: FeedBody<'records'>['list'][number][] = [];
  /** Time of the last frame, in monotonic ns. */
  atNs = 0;
  readonly #last: Last = {};

  constructor() {
    this.last = this.#last;
  }

  /** Takes the next frame. @throws ProtocolError `bad-runs`, `page-of-unknown-block` */
  take(frame: FeedFrame): void {
    this.atNs = frame.at;
    if (frame.kind === 'hello') this.#begin(frame);
    else if (frame.kind === 'pages') this.#takePages(frame);
    else if (frame.kind === 'pass') this.#takePass(frame);
    else if (frame.kind === 'records') this.records = [...this.records, ...frame.list].slice(-KEPT_RECORDS);
    (this.#last as Record<string, unknown>)[frame.kind] = frame;
  }

  /** Another run, or the same told anew: a snapshot follows. */
  #begin(hello: FeedBody<'hello'>): void {
    if (hello.run !== this.#last.hello?.run) {
      for (const kind of Object.keys(this.#last) as FeedKind[]) delete this.#last[kind];
      this.records = [];
    }
    this.blocks.clear();
    this.passes = [];
  }

  /** A snapshot tells passes again, perhaps. */
  #takePass(pass: FeedBody<'pass'>): void {
    this.passes = [...this.passes.filter(({ index }) => index !== pass.index), pass].slice(-KEPT_PASSES);
  }

  #takePages({ block: name, unit, first, states }: FeedBody<'pages'>): void {
    let block = this.blocks.get(name);
    if (block?.unit !== unit) {
      const length = this.#last.hello?.blocks.find((candidate) => candidate.name === name)?.length;
      if (length === undefined) {
        throw new ProtocolError(
          'page-of-unknown-block',
          `expected pages of a block of the hello, found '${name}'`,
        );
      }
      const count = unit > 0 ? Math.ceil(length / unit) : Number.POSITIVE_INFINITY;
      if (count > MOST_ENTRIES) {
        throw new ProtocolError(
          'bad-runs',
          `expected at most ${MOST_ENTRIES} pages, found ${count} in '${name}'`,
        );
      }
      block = { name, unit, states: new Uint8Array(count) };
      this.blocks.set(name, block);
    }
    applyRuns(block.states, first, states);
  }
}
