// What is pushed in one migration: begins its strategy, ends a phase of pull only, and counts what came of it.
import { TARGET_PAGE_BYTES } from '../../protocol/ram-records.ts';
import type { PushResult } from '../../telemetry/push-result.ts';
import type { DirtyHistory } from '../dirty-history.ts';
import type { OutgoingStream, SendClass, Steps } from '../outgoing-stream.ts';
import type { PageOrder } from '../page-order.ts';
import type { DirtyLine } from './dirty-line.ts';
import type { PushStrategy, RecordedFault } from './push-strategy.ts';
import { RestOfHostPage } from './rest-of-host-page.ts';
import { findPush } from './strategies.ts';
import { WholePieces } from './whole-pieces.ts';

/** What to push. */
export interface PushOptions {
  /** Name of the strategy, as `findPush` knows it. */
  readonly strategy: string;
  /** For `recorded`: what faulted in an earlier run, in the order of the faults. */
  readonly faults?: readonly RecordedFault[];
  /** For `none`: the rest is pushed once nothing was requested for so long. */
  readonly quietNs?: number;
  /** Whether a host page of which a piece was requested is finished first, where the destination has such; by default it is. */
  readonly restFirst?: boolean;
  /** The strategy chooses pieces of this size, in bytes, instead of placement pages. */
  readonly pieceBytes?: number;
}

/** How long a pull waits for a request before the rest is pushed, unless it is told otherwise. */
export const DEFAULT_QUIET_NS = 1e9;

/** What came of it, as the source sees it. */
export type PushCounts = Pick<
  PushResult,
  | 'strategy'
  | 'requests'
  | 'requestsFoundSent'
  | 'pullNs'
  | 'starvedNs'
  | 'longestStarvedNs'
  | 'restFirstHostPages'
  | 'pieceBytes'
  | 'pieces'
  | 'piecesInterrupted'
>;

/** The push of one migration. */
export class PushPhase {
  readonly #options: PushOptions;
  #order: PageOrder | undefined;
  #rest: RestOfHostPage | undefined;
  #pieces: WholePieces | undefined;
  #beginNs = 0;
  #pullNs: number | null = null;
  #starvedNs = 0;
  #longestStarvedNs = 0;
  /** Time for requests since the last background batch: background waited only if there was any, so the next one tells. */
  #sinceBackgroundNs = 0;

  constructor(options: PushOptions) {
    this.#options = options;
  }

  /** Whether the strategy needs to know what is dirtied in precopy. */
  get needsHistory(): boolean {
    return this.#options.strategy === 'hot-first';
  }

  get counts(): PushCounts | undefined {
    if (this.#order === undefined) return undefined;
    return {
      strategy: this.#options.strategy,
      requests: this.#order.requestCount,
      requestsFoundSent: this.#order.foundSentCount,
      pullNs: this.#pullNs,
      starvedNs: this.#starvedNs,
      longestStarvedNs: this.#longestStarvedNs,
      restFirstHostPages: this.#rest?.hostPageCount ?? null,
      pieceBytes: this.#options.pieceBytes ?? null,
      pieces: this.#pieces?.pieceCount ?? null,
      piecesInterrupted: this.#pieces?.interruptedCount ?? null,
    };
  }

  /** The strategy, for an order that begins. */
  strategyFor(line: DirtyLine, history: DirtyHistory | undefined): PushStrategy {
    const { strategy, faults = [], restFirst = true, pieceBytes } = this.#options;
    const begin = findPush(strategy);
    if (begin === undefined) throw new Error(`no push strategy is called ${strategy}`);
    let push = begin({ line, history, faults });
    if (strategy === 'none') return push; // nothing goes unasked
    const pagesPerPiece = pieceBytes === undefined ? 1 : pieceBytes / TARGET_PAGE_BYTES;
    if (restFirst && line.hasBrokenHostPages)
      push = this.#rest = new RestOfHostPage(line, push, pagesPerPiece);
    if (pieceBytes === undefined) return push;
    // Outermost: a piece of a broken host page goes whole too.
    this.#pieces = new WholePieces(line, push, pagesPerPiece);
    return this.#pieces;
  }

  /** The guest has left. */
  begin(order: PageOrder, nowNs: number): void {
    this.#order = order;
    this.#beginNs = nowNs;
  }

  /** A batch has left, for which the time from `fromNs` to `toNs` was taken. */
  countBatch(sendClass: SendClass, fromNs: number, toNs: number): void {
    if (sendClass === 'requested') {
      this.#sinceBackgroundNs += toNs - fromNs;
      return;
    }
    this.#starvedNs += this.#sinceBackgroundNs;
    this.#longestStarvedNs = Math.max(this.#longestStarvedNs, this.#sinceBackgroundNs);
    this.#sinceBackgroundNs = 0;
  }

  /**
   * Nothing is left to be sent by itself. With pull only there may be dirty pages all the same: then a request is
   * awaited, and after a time without any the rest is pushed, for a source that kept it would never complete. Returns
   * whether anything is to be sent again.
   */
  *awaitRequest(stream: OutgoingStream): Steps<boolean> {
    const order = this.#order!;
    this.#sinceBackgroundNs = 0; // nothing was held up by it
    if (this.#options.strategy !== 'none' || this.#pullNs !== null || !order.hasDirty) return false;
    const { quietNs = DEFAULT_QUIET_NS } = this.#options;
    const before = order.requestCount;
    yield* stream.perform({ do: 'await-request', forNs: quietNs });
    if (order.requestCount > before) return true;
    this.#pullNs = stream.nowNs - this.#beginNs;
    order.pushRest();
    return true;
  }
}
