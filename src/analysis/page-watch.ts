// Follows the RAM of a migration: its blocks, the pages sent, the ranges discarded, the pages asked for.
import type { ByteRange } from '../protocol/fields.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import type { AnomalyLog, AnomalyPlace } from './anomalies.ts';
import { BlockPages } from './block-pages.ts';
import { RequestLatencies } from './request-latencies.ts';

/** Longer blocks are not followed page by page. */
const BLOCK_LIMIT_BYTES = 16 * 2 ** 40;
const WORD_BYTES = 8;
const DISCARD_RANGES = 12;

/** The host page last begun on a channel. */
interface BegunPage {
  readonly pages: BlockPages;
  readonly hostPage: number;
}

/** What is known of the RAM of a migration. */
export class PageWatch {
  readonly blocks = new Map<string, BlockPages>();
  readonly requests = new RequestLatencies();
  readonly byConn = new Map<number, { data: number; zero: number }>();
  readonly discards = { commands: 0, ranges: 0 };
  readonly #anomalies: AnomalyLog;
  readonly #begun = new Map<number, BegunPage>();
  /** Connection that brought the first target page of each host page that is not complete. */
  readonly #connOfBegun = new Map<string, number>();
  readonly #lastOnConn = new Map<number, BegunPage>();
  #lastListed: BlockPages | undefined;
  #summary = 0;
  #requestedBlock: string | undefined;
  /** Whether the next page on the main channel has to name its block. */
  #isNameDue = false;
  /** After a recovery pages may come again that were sent and lost. */
  #isResumed = false;

  constructor(anomalies: AnomalyLog) {
    this.#anomalies = anomalies;
  }

  /** Notes the page-size summary of ADVISE, in bytes. */
  advise(summary: number): void {
    this.#summary = summary;
  }

  /** Notes the beginning of a RAM list. */
  beginList(): void {
    this.blocks.clear();
  }

  /** Notes a listed block. */
  listBlock(block: string, lengthBytes: number): void {
    this.#lastListed = new BlockPages(block, lengthBytes, lowestPage(this.#summary));
    this.blocks.set(block, this.#lastListed);
  }

  /** Notes the page size of the block last listed, in bytes. */
  listPageSize(pageBytes: number): void {
    if (this.#lastListed !== undefined) this.#lastListed.listedPageBytes = pageBytes;
  }

  /** Notes that the list is complete. */
  endList(place: AnomalyPlace): void {
    if (this.#summary === 0) return;
    const sizes = new Set([...this.blocks.values()].map(({ hostPageBytes }) => hostPageBytes));
    const sum = [...sizes].reduce((total, size) => total + size, 0); // powers of two that differ: their OR
    if (sum !== this.#summary)
      this.#anomalies.note('S3', `${sum} bytes listed, ${this.#summary} advised`, place);
  }

  /** Notes a PAGE or ZERO record. */
  page(
    record: {
      readonly block: string;
      readonly offset: number;
      readonly fill?: number;
      readonly recordBytes: number;
    },
    isPostcopy: boolean,
    place: AnomalyPlace & { readonly conn: number; readonly isMain: boolean },
  ): void {
    const { block, offset, fill, recordBytes } = record;
    const kind = fill === undefined ? 'data' : 'zero';
    const onConn = this.byConn.get(place.conn) ?? { data: 0, zero: 0 };
    this.byConn.set(place.conn, onConn);
    onConn[kind] += 1;
    if (fill !== undefined && fill !== 0) this.#anomalies.note('S9', `fill ${fill}`, place);
    if (place.isMain && this.#isNameDue) {
      const isNamed = recordBytes > WORD_BYTES + (fill === undefined ? TARGET_PAGE_BYTES : 1);
      if (!isNamed) this.#anomalies.note('S7', 'CONTINUE', place);
      this.#isNameDue = false;
    }
    const pages = this.#follow(block, offset, place);
    if (pages === undefined) return;
    const sent = pages.send(offset, kind, isPostcopy);
    const what = `${block} offset ${offset}`;
    if (sent === 'new-and-not-discarded' && !this.#isResumed) this.#anomalies.note('S12', what, place);
    if (sent === 'again-in-postcopy' && !this.#isResumed) this.#anomalies.note('S18', what, place);
    if (sent === 'held-since-precopy' && !this.#isResumed) this.#anomalies.note('S19', what, place);
    const now = { pages, hostPage: pages.hostPageAt(offset) };
    if (isPostcopy) this.#watchWholeness(now, place);
    this.#lastOnConn.set(place.conn, now);
    if (kind === 'zero') this.pageEnd(place.conn, place.tSeconds);
  }

  /** Notes that the page last begun on a connection has passed to its last byte. */
  pageEnd(conn: number, tSeconds: number | undefined): void {
    const last = this.#lastOnConn.get(conn);
    if (last === undefined || this.requests.isIdle || !last.pages.isHeld(last.hostPage)) return;
    this.requests.arrived(`${last.hostPage} ${last.pages.block}`, tSeconds);
  }

  #follow(block: string, offset: number, place: AnomalyPlace): BlockPages | undefined {
    const pages = this.blocks.get(block);
    if (pages === undefined) this.#anomalies.note('D70', `block '${block}'`, place);
    else if (offset >= pages.lengthBytes) this.#anomalies.note('D71', `${block} offset ${offset}`, place);
    else if (pages.lengthBytes <= BLOCK_LIMIT_BYTES) return pages;
    return undefined;
  }

  #watchWholeness(now: BegunPage, place: AnomalyPlace & { readonly conn: number }): void {
    const begun = this.#begun.get(place.conn);
    const isSame = begun?.pages === now.pages && begun.hostPage === now.hostPage;
    if (begun !== undefined && !isSame && !begun.pages.isHeld(begun.hostPage)) {
      const found = `${now.pages.block} host page ${now.hostPage} inside ${begun.pages.block} host page ${begun.hostPage}`;
      this.#anomalies.note('D79', found, place);
    }
    const key = `${now.hostPage} ${now.pages.block}`;
    const conn = this.#connOfBegun.get(key);
    if (conn !== undefined && conn !== place.conn) {
      this.#anomalies.note('S42', `${now.pages.block} host page ${now.hostPage} on two`, place);
    }
    if (now.pages.isHeld(now.hostPage)) {
      this.#begun.delete(place.conn);
      this.#connOfBegun.delete(key);
    } else {
      this.#begun.set(place.conn, now);
      this.#connOfBegun.set(key, place.conn);
    }
  }

  /** Notes a DISCARD. */
  discard(block: string, ranges: readonly ByteRange[], isInTime: boolean, place: AnomalyPlace): void {
    this.#isNameDue = true;
    this.discards.commands += 1;
    this.discards.ranges += ranges.length;
    const note: AnomalyLog['note'] = (...args) => this.#anomalies.note(...args);
    if (!isInTime) note('D33', `a discard of ${block}`, place);
    if (ranges.length === 0 || ranges.length > DISCARD_RANGES) note('S13', `${ranges.length} ranges`, place);
    const pages = this.blocks.get(block);
    if (pages === undefined) {
      note('D38', `block '${block}'`, place);
      return;
    }
    for (const { start, length } of ranges) {
      const found = `${block} ${start}+${length}, host page ${pages.hostPageBytes}`;
      const isWithin = start + length <= pages.lengthBytes;
      if (start % pages.hostPageBytes !== 0) note('D39', found, place);
      // A block that ends inside a host page can only be discarded up to its end.
      const endsBlock = start + length === pages.lengthBytes;
      if (length % pages.hostPageBytes !== 0 && !endsBlock) note('D40', found, place);
      if (!isWithin) note('D41', found, place);
      if (isWithin && pages.lengthBytes <= BLOCK_LIMIT_BYTES) pages.discard(start, length);
    }
  }

  /** Notes REQ_PAGES_ID, or REQ_PAGES if `named` is undefined. */
  request(start: number, lengthBytes: number, named: string | undefined, place: AnomalyPlace): void {
    this.#requestedBlock = named ?? this.#requestedBlock;
    const block = this.#requestedBlock;
    const pages = block === undefined ? undefined : this.blocks.get(block);
    const found = `${block ?? 'no block'} ${start}+${lengthBytes}`;
    if (block === undefined) this.#anomalies.note('S23', found, place);
    else if (pages === undefined) this.#anomalies.note('S24', found, place);
    else if (start + lengthBytes > pages.lengthBytes) this.#anomalies.note('S25', found, place);
    if (start % TARGET_PAGE_BYTES !== 0 || lengthBytes % TARGET_PAGE_BYTES !== 0) {
      this.#anomalies.note('S22', found, place);
    } else if (
      pages !== undefined &&
      (start % pages.hostPageBytes !== 0 || lengthBytes !== pages.hostPageBytes)
    ) {
      this.#anomalies.note('D90', `${found}, host page ${pages.hostPageBytes}`, place);
    }
    if (pages === undefined || start >= pages.lengthBytes) return;
    const hostPage = pages.hostPageAt(start);
    this.requests.request(`${hostPage} ${block}`, pages.isHeld(hostPage), place.tSeconds, place.offset ?? 0);
  }

  /** Notes RESUME: pages that got lost come again. */
  resume(): void {
    this.#isResumed = true;
    this.#begun.clear();
    this.#connOfBegun.clear();
  }
}

/** The default host page: the smallest in ADVISE's summary, in bytes. */
function lowestPage(summary: number): number {
  if (summary === 0) return TARGET_PAGE_BYTES;
  let page = TARGET_PAGE_BYTES;
  while (Math.floor(summary / page) % 2 === 0 && page < summary) page *= 2;
  return page;
}
