// What each page request waited for at the source: a bounded log, and a watch on what the source is doing.
import {
  REQUEST_LOG_LIMIT,
  type RequestRecord,
  SOURCE_WAITS,
  type SourceWait,
} from '../telemetry/request-record.ts';

/** What a source does while requests may wait: one of the waits, or its own work. */
export type SourceActivity = SourceWait | 'source';

/** A log as plain data, to be posted to another thread. */
export interface RequestLogData {
  readonly count: number;
  readonly droppedCount: number;
  readonly columns: Float64Array<ArrayBuffer>;
}

const WAIT_COUNT = SOURCE_WAITS.length;
/** Block, start, arrived, taken, ahead, and the waits. */
const COLUMN_COUNT = 5 + WAIT_COUNT;
const [TAKEN, WAITS] = [3, 5];
const INITIAL_COUNT = 256;
const NO_ROW = -1;

/**
 * Notes requests, without an object for each. Told the time at every change of what the source does, and at every
 * arrival; so what a request waited for is the difference of two readings.
 */
export class RequestLog {
  readonly #limit: number;
  #columns: Float64Array<ArrayBuffer>;
  #count = 0;
  #droppedCount = 0;
  /** Time that went to each wait so far. */
  readonly #spentNs = new Float64Array(WAIT_COUNT);
  /** Index of the present one; -1 is the source's own work. */
  #activity = -1;
  #sinceNs = 0;
  #beforePause = -1;
  #lastTaken = NO_ROW;

  /** With a limit of 0 it keeps nothing, and counts nothing as dropped. */
  constructor(limit = REQUEST_LOG_LIMIT) {
    this.#limit = limit;
    this.#columns = new Float64Array(Math.min(INITIAL_COUNT, limit) * COLUMN_COUNT);
  }

  /** From now on the source does this. */
  begin(activity: SourceActivity, nowNs: number): void {
    this.#switchTo(activity === 'source' ? -1 : SOURCE_WAITS.indexOf(activity), nowNs);
  }

  /** A limit holds the source up in what it does, until `endPause`. */
  beginPause(nowNs: number): void {
    this.#beforePause = this.#activity;
    this.begin('behindLimit', nowNs);
  }

  endPause(nowNs: number): void {
    this.#switchTo(this.#beforePause, nowNs);
  }

  /** A request has come, with others before it. Returns its row, for `taken`. */
  arrived(blockIndex: number, start: number, aheadCount: number, nowNs: number): number {
    if (this.#count >= this.#limit) {
      if (this.#limit > 0) this.#droppedCount += 1;
      return NO_ROW;
    }
    const at = this.#count * COLUMN_COUNT;
    if (at === this.#columns.length) this.#grow();
    const columns = this.#columns;
    columns[at] = blockIndex;
    columns[at + 1] = start;
    columns[at + 2] = nowNs;
    columns[at + 4] = aheadCount;
    // What was spent before it came, to be taken off when its turn comes.
    for (let wait = 0; wait < WAIT_COUNT; wait += 1) columns[at + WAITS + wait] = -this.#spentNs[wait]!;
    if (this.#activity >= 0) columns[at + WAITS + this.#activity]! -= nowNs - this.#sinceNs;
    this.#count += 1;
    return this.#count - 1;
  }

  /** The page of a request is begun, at the time of the last `begin`. Only the first page of a request counts. */
  taken(row: number): void {
    this.#lastTaken = row;
    if (row === NO_ROW) return;
    const at = row * COLUMN_COUNT;
    this.#columns[at + TAKEN] = this.#sinceNs;
    for (let wait = 0; wait < WAIT_COUNT; wait += 1)
      this.#columns[at + WAITS + wait]! += this.#spentNs[wait]!;
  }

  /** The request taken last is for a page that is under way already: it is not begun for it. */
  lastWasUnderWay(): void {
    if (this.#lastTaken !== NO_ROW) this.#columns[this.#lastTaken * COLUMN_COUNT + TAKEN] = 0;
  }

  get data(): RequestLogData {
    const columns = this.#columns.slice(0, this.#count * COLUMN_COUNT);
    return { count: this.#count, droppedCount: this.#droppedCount, columns };
  }

  #switchTo(activity: number, nowNs: number): void {
    if (this.#activity >= 0) this.#spentNs[this.#activity]! += nowNs - this.#sinceNs;
    this.#activity = activity;
    this.#sinceNs = nowNs;
  }

  #grow(): void {
    const grown = new Float64Array(Math.min(this.#columns.length * 2, this.#limit * COLUMN_COUNT));
    grown.set(this.#columns);
    this.#columns = grown;
  }
}

/** The requests of a log, in the order in which they came. */
export function requestRecords(
  { count, columns }: RequestLogData,
  blockNames: readonly string[],
): RequestRecord[] {
  return Array.from({ length: count }, (_, row) => {
    const at = row * COLUMN_COUNT;
    const takenNs = columns[at + TAKEN]!;
    const waits = SOURCE_WAITS.map((name, wait) => [name, takenNs === 0 ? 0 : columns[at + WAITS + wait]!]);
    return {
      block: blockNames[columns[at]!]!,
      start: columns[at + 1]!,
      arrivedNs: columns[at + 2]!,
      takenNs,
      aheadCount: columns[at + 4]!,
      waitsNs: Object.fromEntries(waits) as RequestRecord['waitsNs'],
    };
  });
}
