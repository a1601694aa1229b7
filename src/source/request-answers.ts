// Answers requests as they are read from the return path, beside the thread that decides: those for small pages that are still to be sent.
import type { RamImage } from '../machine/ram-block.ts';
import { pagesIn } from '../machine/ram-memory.ts';
import type { Profile } from '../protocol/profile.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import { ReturnPathDecoder, type ReturnPathRecord } from '../protocol/return-path-decoder.ts';
import { CLAIMANT, PageClaims, type SharedPageClaims } from './page-claims.ts';
import { type PageUnit, type PlacedBlock, unitOf } from './page-unit.ts';
import { RecordBatch, type StreamPieces } from './record-batch.ts';

/**
 * Placement pages up to this size are answered at once, whole: 64 KiB are 30 us of a fast loopback. For a larger one the
 * wire takes longer than any thread to wake, and what else is sent meanwhile has to be decided.
 */
export const ANSWERED_PAGE_BYTES = 64 * 1024;

/** Words of the counts. */
export const ANSWERED = { PAGES: 0, ZERO_PAGES: 1, BYTES: 2, COUNT: 3 } as const;

/** What was sent in answer: target pages, those of them that were zero, and bytes. */
export interface AnsweredCounts {
  readonly pages: number;
  readonly zeroPages: number;
  readonly bytes: number;
}

/** Who writes what answers a request; false if that cannot be now, and the thread that decides is to see to it. */
export type AnswerWriter = {
  readonly canWrite: () => boolean;
  readonly write: (pieces: StreamPieces) => void;
};

/**
 * Takes the return path's bytes before the thread that decides, which takes them too: it finds what is bad, and sends
 * whatever was not answered here.
 */
export class RequestAnswers {
  readonly #decoder: ReturnPathDecoder;
  readonly #writer: AnswerWriter;
  readonly #counts: Float64Array;
  readonly #batch = new RecordBatch();
  #blocks: readonly PlacedBlock[] = [];
  #claims: PageClaims | undefined;
  #lastNamed: string | undefined;
  #isBad = false;

  /** `counts` has a word for each of `ANSWERED`. */
  constructor(
    { profile, negotiates }: { profile: Profile; negotiates: boolean },
    writer: AnswerWriter,
    counts: Float64Array,
  ) {
    this.#decoder = new ReturnPathDecoder((record) => this.#take(record), { profile });
    this.#decoder.extension = negotiates;
    this.#writer = writer;
    this.#counts = counts;
  }

  /** Postcopy begins: from now on requests are answered. */
  begin(ram: RamImage, placementPageBytes: readonly number[], claims: SharedPageClaims): void {
    this.#blocks = ram.blocks.map((block, index) => ({
      ram: block,
      placementPageBytes: placementPageBytes[index]!,
    }));
    this.#claims = new PageClaims(this.#blocks, claims);
  }

  /** Takes bytes of the return path. Bad ones end it here; who decides finds them too, and tells. */
  push(input: Uint8Array): void {
    if (this.#isBad) return;
    try {
      this.#decoder.push(input);
    } catch {
      this.#isBad = true;
    }
  }

  #take(record: ReturnPathRecord): void {
    if (record.name === 'REQ_PAGES_ID') this.#lastNamed = record.block;
    else if (record.name !== 'REQ_PAGES') return;
    if (this.#claims === undefined || !this.#writer.canWrite()) return;
    this.#answer(this.#claims, record.start, record.length);
  }

  #answer(claims: PageClaims, start: number, lengthBytes: number): void {
    const block = this.#blocks.find(({ ram }) => ram.name === this.#lastNamed);
    const isGood = start % TARGET_PAGE_BYTES === 0 && lengthBytes % TARGET_PAGE_BYTES === 0;
    if (block === undefined || !isGood || start + lengthBytes > block.ram.lengthBytes) return;
    // A longer request could not be answered at once.
    if (lengthBytes > ANSWERED_PAGE_BYTES) return;
    const endPage = pagesIn(start + lengthBytes);
    for (let page = pagesIn(start); page < endPage; ) {
      const unit = unitOf(block, page, true);
      if (block.ram.dirty.test(unit.firstPage) && claims.take(unit, CLAIMANT.PREEMPT)) this.#append(unit);
      page = unit.firstPage + unit.pageCount;
    }
    if (this.#batch.isEmpty) return;
    const gathered = this.#batch.take();
    this.#counts[ANSWERED.BYTES]! += gathered.lengthBytes;
    this.#writer.write(gathered);
  }

  /** All of a placement page that was claimed is dirty, since nobody else sends any of it. */
  #append({ block: { ram }, firstPage, pageCount }: PageUnit): void {
    for (let page = firstPage; page < firstPage + pageCount; page += 1) {
      ram.dirty.clear(page);
      ram.sent.set(page);
      if (this.#batch.appendPage(ram, page)) this.#counts[ANSWERED.ZERO_PAGES]! += 1;
    }
    this.#counts[ANSWERED.PAGES]! += pageCount;
  }
}
