// Plans the migration that a scripted source makes: which pages go when, and what is in them.
import { createHash } from 'node:crypto';
import { joinBytes } from '../protocol/message.ts';
import { encodeRecordHead, encodeZeroRecord, RAM_FLAG, TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import type { LayoutBlock, Subject } from './subject.ts';

/** So many host pages of a block have something in them; the rest is zero, so that a run stays small. */
const WRITTEN_HOST_PAGES = 16;
/** So many host pages in a row go the same way. */
const STRIPE = 8;
/** And within a large host page, every so manyeth target page. */
const WRITTEN_EVERY = 64;

/** What happens to the pages of one block. All numbers are those of host pages. */
export interface PlannedBlock extends LayoutBlock {
  readonly hostPageCount: number;
  readonly pagesPerHostPage: number;
  /** Sent in precopy. */
  readonly precopy: readonly number[];
  /** Of these, written again before the switchover. */
  readonly redirtied: readonly number[];
  /** Discarded, and sent in postcopy: the redirtied ones and those that precopy did not come to. */
  readonly postcopy: readonly number[];
}

/** The pages of a migration that keeps every rule. */
export class MigrationPlan {
  readonly blocks: readonly PlannedBlock[];
  readonly #subject: Subject;

  constructor(subject: Subject) {
    this.#subject = subject;
    this.blocks = subject.blocks.map(planBlock);
  }

  /** The block of a name. */
  block(name: string): PlannedBlock {
    return this.blocks.find((block) => block.name === name)!;
  }

  /** The content of a target page at the end; undefined where it is zero. */
  finalPage(block: PlannedBlock, page: number): Uint8Array | undefined {
    const recorded = this.#subject.recorded?.ram?.find(block.name);
    if (recorded !== undefined && recorded.lengthBytes === block.lengthBytes) {
      return recorded.isZeroPage(page) ? undefined : recorded.targetPageBytes(page);
    }
    return isWritten(block, page) ? filledPage(block, page, 0) : undefined;
  }

  /** What precopy sends of a page that is written again afterwards. */
  stalePage(block: PlannedBlock, page: number): Uint8Array {
    return filledPage(block, page, 1);
  }

  /** The record of a target page as it is at the end; `named` names the block. */
  pageRecord(block: PlannedBlock, page: number, named: boolean): Uint8Array {
    return encodePage(block.name, page, this.finalPage(block, page), named);
  }

  /** The records of a whole host page, the first of which names the block. */
  hostPage(block: PlannedBlock, hostPage: number): Uint8Array {
    const first = hostPage * block.pagesPerHostPage;
    return joinBytes(
      Array.from({ length: block.pagesPerHostPage }, (_, at) => this.pageRecord(block, first + at, at === 0)),
    );
  }

  /** What precopy sends of a block. */
  precopyPages(block: PlannedBlock): Uint8Array {
    return joinBytes(
      block.precopy.flatMap((hostPage, index) => {
        const first = hostPage * block.pagesPerHostPage;
        const isStale = block.redirtied.includes(hostPage);
        return Array.from({ length: block.pagesPerHostPage }, (_, at) => {
          const isNamed = index === 0 && at === 0;
          return isStale && at === 0
            ? encodePage(block.name, first, this.stalePage(block, first), isNamed)
            : this.pageRecord(block, first + at, isNamed);
        });
      }),
    );
  }

  /** All pages of a block as they are at the end. */
  allPages(block: PlannedBlock): Uint8Array {
    const count = block.lengthBytes / TARGET_PAGE_BYTES;
    return joinBytes(Array.from({ length: count }, (_, page) => this.pageRecord(block, page, page === 0)));
  }

  /** SHA-256 of a block at the end, in hexadecimal; `pages` are other contents than planned, by target page. */
  sha256(block: PlannedBlock, pages: ReadonlyMap<number, Uint8Array> = new Map()): string {
    const hash = createHash('sha256');
    const zero = new Uint8Array(TARGET_PAGE_BYTES);
    for (let page = 0; page < block.lengthBytes / TARGET_PAGE_BYTES; page += 1) {
      hash.update(pages.get(page) ?? this.finalPage(block, page) ?? zero);
    }
    return hash.digest('hex');
  }
}

function planBlock(block: LayoutBlock): PlannedBlock {
  const hostPageCount = block.lengthBytes / block.hostPageBytes;
  const all = Array.from({ length: hostPageCount }, (_, hostPage) => hostPage);
  const half = hostPageCount === 1 ? 1 : Math.floor(hostPageCount / 2);
  // In a long block both kinds alternate, so that a guest that walks any part of it comes to missing pages.
  const isLong = hostPageCount >= 4 * STRIPE;
  const isPrecopy = (hostPage: number): boolean =>
    isLong ? Math.floor(hostPage / STRIPE) % 2 === 0 : hostPage < half;
  const precopy = all.filter(isPrecopy);
  // A block of one or two pages stays as it is.
  const redirtied = precopy.length > 1 ? [1] : [];
  return {
    ...block,
    hostPageCount,
    pagesPerHostPage: block.hostPageBytes / TARGET_PAGE_BYTES,
    precopy,
    redirtied,
    postcopy: all.filter((hostPage) => redirtied.includes(hostPage) || !isPrecopy(hostPage)),
  };
}

function isWritten({ pagesPerHostPage, hostPageCount }: PlannedBlock, page: number): boolean {
  const hostPage = Math.floor(page / pagesPerHostPage);
  const isChosen = hostPage < WRITTEN_HOST_PAGES || hostPage >= hostPageCount - WRITTEN_HOST_PAGES;
  return isChosen && (page % pagesPerHostPage) % WRITTEN_EVERY === 0;
}

/** A page no two of which are equal: each word tells block, page and version. */
export function filledPage({ name }: LayoutBlock, page: number, version: number): Uint8Array {
  const words = new Uint32Array(TARGET_PAGE_BYTES / 4);
  const seed = [...name].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), version + 1);
  words.forEach((_, index) => {
    words[index] = Math.imul(seed ^ (page * 1024 + index), 0x9e3779b1) | 1;
  });
  return new Uint8Array(words.buffer);
}

/** A PAGE record, or a ZERO record where there is no content. */
export function encodePage(
  block: string,
  page: number,
  content: Uint8Array | undefined,
  named: boolean,
): Uint8Array {
  const offset = page * TARGET_PAGE_BYTES;
  const name = named ? block : undefined;
  if (content === undefined) return encodeZeroRecord(offset, name);
  return joinBytes([encodeRecordHead(offset, RAM_FLAG.PAGE, name), content]);
}

/** The target pages of a host page, in their order. */
export function targetPages(block: PlannedBlock, hostPage: number): number[] {
  const first = hostPage * block.pagesPerHostPage;
  return Array.from({ length: block.pagesPerHostPage }, (_, at) => first + at);
}
