// An outgoing core that is watched: every record it sends, every state, and what it owes the destination.
import { deviceStateBytes } from '../../src/destination/known-devices.ts';
import { PAGE_STATE } from '../../src/machine/page-state.ts';
import type { RamImage } from '../../src/machine/ram-block.ts';
import type { PageSizeField } from '../../src/protocol/ram-record-decoder.ts';
import type { ReturnPathRecord } from '../../src/protocol/return-path-decoder.ts';
import { StreamDecoder, type StreamRecord, type StreamSink } from '../../src/protocol/stream-decoder.ts';
import { OutgoingMigration } from '../../src/source/outgoing.ts';
import type { OutgoingEvent } from '../../src/source/outgoing-states.ts';
import { hold } from './fuzz-target.ts';
import { checksum } from './ram-pool.ts';

const PAGE_BYTES = 4096;

/** The moves of an outgoing migration, written down once more, so that a change of the product's table shows. */
const LEGAL_MOVES: ReadonlySet<string> = new Set([
  ...['setup agreed active', 'setup error failed', 'setup refused failed', 'setup cancel cancelled'],
  ...[
    'active guest-stopped device',
    'active error failed',
    'active refused failed',
    'active cancel cancelled',
  ],
  ...['device package-leaves postcopy-active', 'device eof-leaves handed-over', 'device error failed'],
  ...['device refused failed', 'device cancel cancelled'],
  ...['postcopy-active completed completed', 'postcopy-active error postcopy-paused'],
  ...['postcopy-active refused failed', 'handed-over completed completed', 'handed-over error failed'],
  ...['handed-over refused failed'],
]);

/** The core, whose moves are checked. */
export class WatchedOutgoing extends OutgoingMigration {
  readonly moves: string[] = [];

  override advance(event: OutgoingEvent): void {
    const before = this.state;
    super.advance(event);
    const move = `${before} ${event} ${this.state}`;
    hold(LEGAL_MOVES.has(move), 'legal states', () => move);
    this.moves.push(move);
  }
}

/** A request that was accepted: target pages of a block, by its place in the image. */
interface OwedRequest {
  readonly block: number;
  readonly firstPage: number;
  readonly endPage: number;
}

/** Decodes what the source sends, with the decoder that a destination has, and holds the rules of a source. */
export class SentStream implements StreamSink {
  readonly trace: string[] = [];
  readonly #image: RamImage;
  readonly #migration: WatchedOutgoing;
  readonly #decoder: StreamDecoder;
  /** Checksums of the pages as they were sent last, by block and page. */
  readonly #sent: Map<number, number>[];
  readonly #discarded: Set<number>[];
  readonly #requests: OwedRequest[] = [];
  #block = 0;
  #page = 0;
  readonly #body = new Uint8Array(PAGE_BYTES);
  /** The placement page under way, and the next target page of it. */
  #unitBlock = 0;
  #unitNext = -1;
  #isPostcopy = false;
  #hasEnded = false;

  constructor(image: RamImage, migration: WatchedOutgoing) {
    this.#image = image;
    this.#migration = migration;
    this.#sent = image.blocks.map(() => new Map());
    this.#discarded = image.blocks.map(() => new Set());
    this.#decoder = new StreamDecoder(this, { profile: 'strict', begins: 'header', stream: 'main' });
    this.#decoder.extension = true;
  }

  /** Bytes that left. @throws PropertyFailure, or the decoder's error for what no destination would take */
  push(bytes: Uint8Array): void {
    this.#decoder.push(bytes);
  }

  /** A request was accepted. */
  owe(record: ReturnPathRecord, named: string | undefined): void {
    if (record.name !== 'REQ_PAGES' && record.name !== 'REQ_PAGES_ID') return;
    const block = this.#image.blocks.findIndex(({ name }) => name === named);
    const { start, length } = record;
    const lengthBytes = this.#image.blocks[block]?.lengthBytes ?? -1;
    const isGood =
      block >= 0 && start % PAGE_BYTES === 0 && length % PAGE_BYTES === 0 && start + length <= lengthBytes;
    hold(isGood, 'bad requests refused', () => `${start}+${length} of '${named}'`);
    this.#requests.push({ block, firstPage: start / PAGE_BYTES, endPage: (start + length) / PAGE_BYTES });
  }

  /** The guest is whole at the destination: every page was sent as it is now, and those that were discarded, again. */
  holdComplete(): void {
    hold(this.#hasEnded, 'complete behind EOF', () => 'completed without EOF');
    this.#image.blocks.forEach((block, index) => {
      for (let page = 0; page < block.targetPageCount; page += 1) {
        const isSame = this.#sent[index]!.get(page) === checksum(block.targetPageBytes(page));
        hold(isSame, 'complete with every page', () => `page ${page} of ${block.name} was not sent as it is`);
      }
      hold(
        this.#discarded[index]!.size === 0,
        'complete with every page',
        () => `${block.name}: discarded, not sent`,
      );
    });
  }

  /** What the peer has of it, for a farewell. */
  get isAtRest(): boolean {
    return this.#hasEnded;
  }

  selectBlock(name: string): void {
    this.#block = this.#image.blocks.findIndex((block) => block.name === name);
    hold(this.#block >= 0, 'blocks of ours', () => name);
  }

  page(offset: number): void {
    this.#begin(offset);
  }

  pageBytes(input: Uint8Array, start: number, end: number, at: number): void {
    this.#body.set(input.subarray(start, end), at);
    if (at + end - start === PAGE_BYTES) this.#take(checksum(this.#body));
  }

  zeroPage(offset: number, fill: number): void {
    hold(fill === 0, 'zero pages are zero', () => `filled with ${fill}`);
    this.#begin(offset);
    this.#take(0);
  }

  #begin(offset: number): void {
    const { lengthBytes, name } = this.#image.blocks[this.#block]!;
    hold(offset < lengthBytes, 'inside RAM', () => `${offset} of ${name}`);
    this.#page = offset / PAGE_BYTES;
    if (this.#isPostcopy) this.#join();
  }

  /** Postcopy: only what was discarded, once, whole placement pages in order, requested ones before any other. */
  #join(): void {
    const [index, page] = [this.#block, this.#page];
    const where = () => `page ${page} of ${this.#image.blocks[index]!.name}`;
    hold(this.#discarded[index]!.delete(page), 'no page sent twice', where);
    const perUnit = this.#migration.placements[index]!.placementPageBytes / PAGE_BYTES;
    if (this.#unitNext === -1) {
      hold(page % perUnit === 0, 'placement pages whole', where);
      this.#holdRequested(index, page, perUnit);
      this.#unitBlock = index;
    } else {
      hold(index === this.#unitBlock && page === this.#unitNext, 'placement pages whole', where);
    }
    this.#unitNext = (page + 1) % perUnit === 0 ? -1 : page + 1;
  }

  #holdRequested(index: number, page: number, perUnit: number): void {
    for (let request = this.#requests[0]; request !== undefined; request = this.#requests[0]) {
      const { block, firstPage, endPage } = request;
      let owed = firstPage;
      // The page at hand was taken out of the set just now, and is the first of those that remain.
      while (owed < endPage && !(this.#discarded[block]!.has(owed) || (block === index && owed === page)))
        owed += 1;
      if (owed === endPage) {
        this.#requests.shift();
        continue;
      }
      const isServed = block === index && Math.floor(owed / perUnit) === page / perUnit;
      hold(isServed, 'requests first', () => `page ${page} of block ${index}, owed is ${owed} of ${block}`);
      return;
    }
  }

  #take(sum: number): void {
    const before = this.#image.blocks[this.#block]!;
    hold(before.pageState(0) === PAGE_STATE.PRESENT, 'source keeps its RAM', () => before.name);
    this.#sent[this.#block]!.set(this.#page, sum);
  }

  record(record: StreamRecord, offset: number): void {
    const isAllowed = !this.#hasEnded || record.name === 'VMDESCRIPTION' || record.name === 'REASON';
    hold(isAllowed, 'nothing after EOF', () => record.name);
    this.trace.push(`${record.name} ${offset}`);
    if (record.name === 'EOF') this.#hasEnded = true;
    if (record.name === 'PACKAGE') this.#isPostcopy = true;
    if (record.name !== 'POSTCOPY_RAM_DISCARD') return;
    const index = this.#image.blocks.findIndex(({ name }) => name === record.block);
    const unit = this.#migration.placements[index]!.placementPageBytes;
    for (const { start, length } of record.ranges) {
      const isAligned = start % unit === 0 && length % unit === 0 && length > 0;
      const isInside = start + length <= this.#image.blocks[index]!.lengthBytes;
      hold(isAligned && isInside, 'discards aligned', () => `${start}+${length} where pages have ${unit}`);
      for (let at = start; at < start + length; at += PAGE_BYTES)
        this.#discarded[index]!.add(at / PAGE_BYTES);
    }
  }

  ramList(): void {}
  endOfPayload(): void {}

  pageSizeField(): { field: PageSizeField; summary: number } {
    return { field: 'guess', summary: 2 ** 40 - 1 };
  }

  deviceStateBytes(idstr: string, versionId: number): number | undefined {
    return deviceStateBytes(idstr, versionId);
  }
}
