// Turns the figures of a run into totals, and into what passed since the last tick.
import { TARGET_PAGE_BYTES } from '../machine/ram-memory.ts';
import { RUN_FIGURE, type SharedFigures } from '../telemetry/shared-figures.ts';
import type { FeedPart } from './feed-hub.ts';
import type { FeedBody } from './feed-messages.ts';

/** What an end knows beside its figures. */
export interface OwnFigures {
  /** Bytes that are to be sent, or to be sent again; 0 at a destination. */
  readonly dirtyBytes: number;
  readonly faults: number;
  readonly requestsOpen: number;
  /** Requests that this end wrote or read. */
  readonly requests: number;
  readonly presentBytes: number;
  readonly totalBytes: number;
}

/** Told the time; keeps the figures of the tick before. */
export class RateMeter {
  readonly #figures: SharedFigures;
  #before: FeedBody<'totals'> | undefined;
  #beforeNs: number;

  constructor(figures: SharedFigures, nowNs: number) {
    this.#figures = figures;
    this.#beforeNs = nowNs;
  }

  tick(nowNs: number, own: OwnFigures): FeedPart[] {
    const figures = this.#figures;
    const totals: FeedBody<'totals'> = {
      wire: figures.get(RUN_FIGURE.WIRE_BYTES),
      precopyPages: figures.get(RUN_FIGURE.PRECOPY_PAGES),
      backgroundPages: figures.get(RUN_FIGURE.BACKGROUND_PAGES),
      requestedPages: figures.get(RUN_FIGURE.REQUESTED_PAGES),
      zeroPages: figures.get(RUN_FIGURE.ZERO_PAGES),
      discardedPages: figures.get(RUN_FIGURE.DISCARDED_PAGES),
      duplicatePages: figures.get(RUN_FIGURE.DUPLICATE_PAGES),
      requests: own.requests,
      faults: own.faults,
      presentBytes: own.presentBytes,
      totalBytes: own.totalBytes,
    };
    const before = this.#before;
    const since = (name: 'wire' | 'requests' | 'faults'): number => totals[name] - (before?.[name] ?? 0);
    const bytesSince = (name: 'backgroundPages' | 'requestedPages' | 'zeroPages' | 'precopyPages'): number =>
      (totals[name] - (before?.[name] ?? 0)) * TARGET_PAGE_BYTES;
    const rates: FeedPart = {
      kind: 'rates',
      interval: nowNs - this.#beforeNs,
      wire: since('wire'),
      background: bytesSince('backgroundPages'),
      urgent: bytesSince('requestedPages'),
      zero: bytesSince('zeroPages'),
      precopy: bytesSince('precopyPages'),
      dirty: own.dirtyBytes,
      faults: since('faults'),
      requests: since('requests'),
      requestsOpen: own.requestsOpen,
      pushPaused: figures.get(RUN_FIGURE.PUSH_PAUSED) === 1,
    };
    this.#before = totals;
    this.#beforeNs = nowNs;
    return [{ kind: 'totals', ...totals }, rates];
  }
}
