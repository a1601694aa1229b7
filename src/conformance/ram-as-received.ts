// The RAM that a scripted destination was sent: contents, and which host pages are still missing.
import { createHash } from 'node:crypto';
import { BlockPages } from '../analysis/block-pages.ts';
import type { DissectedRecord } from '../protocol/dissection-entry.ts';
import type { ByteRange } from '../protocol/fields.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import { bitmapBytes } from '../protocol/received-bitmap.ts';

/** Contents of more RAM are not kept, and so not compared. */
const CONTENT_LIMIT_BYTES = 2 ** 30;

/** A RAM block as it was received. */
export interface ReceivedBlock {
  readonly pages: BlockPages;
  /** Undefined where all RAM together is too much to be kept. */
  readonly content: Uint8Array | undefined;
}

/** A host page of a block. */
export interface HostPage {
  readonly block: string;
  readonly index: number;
}

/** RAM blocks in the order of the RAM list, filled by the records of all channels. */
export class RamAsReceived {
  readonly blocks = new Map<string, ReceivedBlock>();
  readonly #lastOnConn = new Map<number, { content: Uint8Array | undefined; offset: number }>();
  #lastListed: ReceivedBlock | undefined;
  #contentBytes = 0;
  #isPostcopy = false;

  /** Takes a record of the connection `conn`. */
  take({ name, values }: DissectedRecord, conn: number): void {
    if (name === 'RAM_LIST_ENTRY') this.#list(values as { block: string; length: number });
    else if (name === 'RAM_LIST_PAGE_SIZE') {
      this.#lastListed!.pages.listedPageBytes = values['pageSize'] as number;
    } else if (name === 'POSTCOPY_LISTEN') this.#isPostcopy = true;
    else if (name === 'POSTCOPY_RAM_DISCARD') {
      this.#discard(values as { block: string; ranges: readonly ByteRange[] });
    } else if (name === 'PAGE' || name === 'ZERO') {
      this.#page(values as { block: string; offset: number; fill?: number }, conn);
    }
  }

  /** Takes bytes of the page that the connection began last. */
  pageBytes(conn: number, input: Uint8Array, start: number, end: number, at: number): void {
    const last = this.#lastOnConn.get(conn);
    last?.content?.set(input.subarray(start, end), last.offset + at);
  }

  #list({ block, length }: { block: string; length: number }): void {
    this.#contentBytes += length;
    const content = this.#contentBytes > CONTENT_LIMIT_BYTES ? undefined : new Uint8Array(length);
    this.#lastListed = { pages: new BlockPages(block, length, TARGET_PAGE_BYTES), content };
    this.blocks.set(block, this.#lastListed);
  }

  #page({ block, offset, fill }: { block: string; offset: number; fill?: number }, conn: number): void {
    this.#lastOnConn.delete(conn);
    const received = this.blocks.get(block);
    if (received === undefined || offset + TARGET_PAGE_BYTES > received.pages.lengthBytes) return;
    received.pages.send(offset, fill === undefined ? 'data' : 'zero', this.#isPostcopy);
    if (fill === undefined) this.#lastOnConn.set(conn, { content: received.content, offset });
    else received.content?.fill(fill, offset, offset + TARGET_PAGE_BYTES);
  }

  #discard({ block, ranges }: { block: string; ranges: readonly ByteRange[] }): void {
    const received = this.blocks.get(block);
    for (const { start, length } of received === undefined ? [] : ranges) {
      if (start + length > received!.pages.lengthBytes) continue;
      received!.pages.discard(start, length);
      received!.content?.fill(0, start, start + length);
    }
  }

  /** Whether every target page of a host page has been received, and not discarded since. */
  isHeld({ block, index }: HostPage): boolean {
    return this.blocks.get(block)?.pages.isHeld(index) === true;
  }

  /** All host pages for which `isWanted` holds, block by block. */
  hostPages(isWanted: (page: HostPage) => boolean): HostPage[] {
    return [...this.blocks].flatMap(([block, { pages }]) =>
      Array.from({ length: Math.ceil(pages.lengthBytes / pages.hostPageBytes) }, (_, index) => ({
        block,
        index,
      })).filter(isWanted),
    );
  }

  /** The received bitmap of a block, without the host pages that are `lost` or that have come in part only. */
  receivedBits(block: string, lost: readonly HostPage[]): Uint8Array {
    const { pages } = this.blocks.get(block)!;
    const pageCount = Math.ceil(pages.lengthBytes / TARGET_PAGE_BYTES);
    const isLost = new Set(lost.filter((page) => page.block === block).map(({ index }) => index));
    const bits = new Uint8Array(bitmapBytes(pageCount));
    for (let page = 0; page < pageCount; page += 1) {
      const index = pages.hostPageAt(page * TARGET_PAGE_BYTES);
      if (pages.isHeld(index) && !isLost.has(index)) bits[page >> 3]! |= 1 << (page & 7);
    }
    return bits;
  }

  /** SHA-256 of each block whose content was kept, by its name. */
  hashes(): Record<string, string> {
    const hashed = [...this.blocks].flatMap(([block, { content }]) =>
      content === undefined ? [] : [[block, createHash('sha256').update(content).digest('hex')] as const],
    );
    return Object.fromEntries(hashed);
  }
}
