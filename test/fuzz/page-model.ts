// What the stream has said about every page of RAM: a plain imitation to compare the destination's RAM with.
import { Buffer } from 'node:buffer';
import { PAGE_STATE } from '../../src/machine/page-state.ts';
import type { RamImage } from '../../src/machine/ram-block.ts';
import type { ByteRange } from '../../src/protocol/fields.ts';
import type { Profile } from '../../src/protocol/profile.ts';
import { hold } from './fuzz-target.ts';
import { checksum } from './ram-pool.ts';

const PAGE_BYTES = 4096;

/** What came of a page since it was discarded. */
interface Came {
  readonly checksum: number;
  /** How often, by postcopy rules. */
  postcopyCount: number;
}

/** Takes what a channel brings. */
export interface PageSink {
  selectBlock(name: string): void;
  page(offset: number): void;
  pageBytes(input: Uint8Array, start: number, end: number, at: number): void;
  zeroPage(offset: number, fill: number): void;
}

/** Takes the pages that the core has accepted. */
export class PageModel {
  readonly main: PageSink = this.#sink();
  readonly preempt: PageSink = this.#sink();
  readonly #image: RamImage;
  readonly #profile: Profile;
  readonly #isPostcopy: () => boolean;
  readonly #came = new Map<string, Map<number, Came>>();

  constructor(image: RamImage, profile: Profile, isPostcopy: () => boolean) {
    this.#image = image;
    this.#profile = profile;
    this.#isPostcopy = isPostcopy;
    for (const { name } of image.blocks) this.#came.set(name, new Map());
  }

  /** Each channel has a block that it named last, and a page under way. */
  #sink(): PageSink {
    let block = '';
    let page = 0;
    const body = Buffer.alloc(PAGE_BYTES);
    const begin = (offset: number): void => {
      const { lengthBytes } = this.#image.get(block);
      hold(offset + PAGE_BYTES <= lengthBytes, 'inside RAM', () => `a page at ${offset} of '${block}'`);
      page = offset / PAGE_BYTES;
    };
    return {
      selectBlock: (name) => {
        hold(this.#came.has(name), 'inside RAM', () => `a page of block '${name}'`);
        block = name;
      },
      page: begin,
      pageBytes: (input, start, end, at) => {
        body.set(input.subarray(start, end), at);
        if (at + end - start === PAGE_BYTES) this.#take(block, page, body);
      },
      zeroPage: (offset, fill) => {
        hold(fill === 0 || this.#profile === '7.2', 'zero pages are zero', () => `filled with ${fill}`);
        begin(offset);
        this.#take(block, page, body.fill(fill));
      },
    };
  }

  #take(block: string, page: number, bytes: Buffer): void {
    const pages = this.#came.get(block)!;
    const before = pages.get(page);
    const isPostcopy = this.#isPostcopy();
    const isTwice = isPostcopy && before !== undefined && this.#profile === 'strict';
    hold(!isTwice, 'no page placed twice', () => `target page ${page} of ${block}`);
    const postcopyCount = (before?.postcopyCount ?? 0) + (isPostcopy ? 1 : 0);
    pages.set(page, { checksum: checksum(bytes), postcopyCount });
  }

  discard(block: string, ranges: readonly ByteRange[]): void {
    for (const { start, length } of ranges) {
      for (const page of this.#came.get(block)!.keys())
        if (page * PAGE_BYTES >= start && page * PAGE_BYTES < start + length)
          this.#came.get(block)!.delete(page);
    }
  }

  forgetAll(): void {
    for (const pages of this.#came.values()) pages.clear();
  }

  /** The first target page that never came, in words. */
  firstMissing(): string | undefined {
    for (const { name, targetPageCount } of this.#image.blocks) {
      const pages = this.#came.get(name)!;
      for (let page = 0; page < targetPageCount; page += 1)
        if (!pages.has(page)) return `page ${page} of ${name}`;
    }
    return undefined;
  }

  /** What is present was sent, and is what was sent; in lenient profiles, as far as it was sent once. */
  holdPresent(image: RamImage, isStrict: boolean): void {
    for (const block of image.blocks) {
      const pages = this.#came.get(block.name)!;
      const perHostPage = block.targetPagesPerHostPage;
      for (let page = 0; page < block.targetPageCount; page += 1) {
        if (block.pageState(Math.floor(page / perHostPage)) !== PAGE_STATE.PRESENT) continue;
        const came = pages.get(page);
        hold(
          came !== undefined || !isStrict,
          'present was sent',
          () => `page ${page} of ${block.name} never came`,
        );
        if (came === undefined || came.postcopyCount > 1) continue;
        const isEqual = checksum(block.targetPageBytes(page)) === came.checksum;
        hold(isEqual, 'present is what was sent', () => `page ${page} of ${block.name} differs`);
      }
    }
  }

  /** What came of each block, one line each. */
  contents(): string[] {
    return this.#image.blocks.map((block) => {
      const came = [...this.#came.get(block.name)!].map(([page, { checksum }]) => `${page}:${checksum}`);
      return `${block.name} ${came.join(' ')}`;
    });
  }
}
