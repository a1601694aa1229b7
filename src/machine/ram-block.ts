// RAM blocks as all threads see them: memory, page states and bitmaps.

import { MemoryMapError, StateError } from '../errors.ts';
import { formatByteSize, isPowerOfTwo } from './byte-size.ts';
import { PageOrigins } from './page-origins.ts';
import { PAGE_STATE, PAGE_STATE_NAMES, type PageState } from './page-state.ts';
import { allocateSegments, pagesIn, RamMemory, TARGET_PAGE_BYTES } from './ram-memory.ts';
import { SharedBitmap } from './shared-bitmap.ts';

/** Smallest host page, the target page size. */
export const MIN_HOST_PAGE_BYTES = TARGET_PAGE_BYTES;
/** Largest host page: the 16 GiB page of POWER8 and POWER9. */
export const MAX_HOST_PAGE_BYTES = 16 * 2 ** 30;
/** A bitmap has at most 2^32 bits, hence 16 TiB. */
const MAX_BLOCK_BYTES = 2 ** 32 * TARGET_PAGE_BYTES;

/** What a RAM block is. `system` RAM is what the guest's MMU rule speaks of; `device` is memory such as `vga.vram`. */
export interface RamBlockSpec {
  readonly name: string;
  readonly lengthBytes: number;
  /** The unit of placing, discarding and faulting: the host page, or the pieces that it is placed in. */
  readonly hostPageBytes: number;
  /** The host page behind it, where that is placed in pieces of `hostPageBytes`. */
  readonly wholePageBytes?: number;
  readonly kind: 'system' | 'device';
}

/** A RAM block as it goes from thread to thread in a message. */
export interface SharedRamBlock {
  readonly spec: RamBlockSpec;
  /** The memory, 1 GiB each, the last one shorter. */
  readonly segments: readonly SharedArrayBuffer[];
  /** One 32-bit state word per host page. */
  readonly pageStates: SharedArrayBuffer;
  /** Written by vCPUs; moved to `dirty` at each bitmap sync. */
  readonly dirtyLog: SharedArrayBuffer;
  readonly dirty: SharedArrayBuffer;
  readonly sent: SharedArrayBuffer;
  readonly received: SharedArrayBuffer;
  /** How each host page came, if anybody may watch. */
  readonly origins?: SharedArrayBuffer;
}

/** One RAM block: its memory, the state word of each host page, and a bit per target page in each bitmap. */
export class RamBlock extends RamMemory {
  readonly shared: SharedRamBlock;
  readonly spec: RamBlockSpec;
  readonly hostPageBytes: number;
  readonly hostPageCount: number;
  readonly targetPagesPerHostPage: number;
  readonly dirtyLog: SharedBitmap;
  readonly dirty: SharedBitmap;
  readonly sent: SharedBitmap;
  readonly received: SharedBitmap;
  /** Undefined where nobody may watch. */
  readonly origins: PageOrigins | undefined;
  readonly #states: Int32Array;

  /**
   * Allocates a zeroed block whose host pages are all missing, or all present (then all received bits are set too).
   * `segments` is memory to use instead of fresh one. Throws MemoryMapError `bad-ram-block`, or `cannot-allocate`.
   */
  static allocate(
    spec: RamBlockSpec,
    initially: 'missing' | 'present',
    segments?: readonly SharedArrayBuffer[],
  ): RamBlock {
    checkSpec(spec);
    const targetPageCount = pagesIn(spec.lengthBytes);
    const bitmap = () => SharedBitmap.allocate(targetPageCount).buffer;
    const block = new RamBlock({
      spec,
      segments: segments ?? allocateSegments(spec.name, spec.lengthBytes),
      pageStates: new SharedArrayBuffer((spec.lengthBytes / spec.hostPageBytes) * 4),
      dirtyLog: bitmap(),
      dirty: bitmap(),
      sent: bitmap(),
      received: bitmap(),
    });
    if (initially === 'present') {
      block.#states.fill(PAGE_STATE.PRESENT);
      block.received.setRange(0, targetPageCount);
    }
    return block;
  }

  constructor(shared: SharedRamBlock) {
    const { spec } = shared;
    super(spec.name, shared.segments, spec.lengthBytes);
    this.shared = shared;
    this.spec = spec;
    this.hostPageBytes = spec.hostPageBytes;
    this.hostPageCount = pagesIn(spec.lengthBytes, spec.hostPageBytes);
    this.targetPagesPerHostPage = pagesIn(spec.hostPageBytes);
    this.dirtyLog = new SharedBitmap(shared.dirtyLog, this.targetPageCount);
    this.dirty = new SharedBitmap(shared.dirty, this.targetPageCount);
    this.sent = new SharedBitmap(shared.sent, this.targetPageCount);
    this.received = new SharedBitmap(shared.received, this.targetPageCount);
    this.origins = shared.origins && new PageOrigins(shared.origins);
    this.#states = new Int32Array(shared.pageStates);
  }

  /** The state of a host page. */
  pageState(hostPage: number): PageState {
    return Atomics.load(this.#states, hostPage) as PageState;
  }

  /** The state words for who draws a picture of them, all at once and perhaps a moment late; nobody else goes without Atomics. */
  get stateWords(): Readonly<Int32Array> {
    return this.#states;
  }

  /** Missing → requested. True for the one caller that did it, who sends the request. */
  claim(hostPage: number): boolean {
    const { MISSING, REQUESTED } = PAGE_STATE;
    return Atomics.compareExchange(this.#states, hostPage, MISSING, REQUESTED) === MISSING;
  }

  /**
   * Makes a host page present and wakes who waits for it; returns the state before, where present means a duplicate.
   * Only a requested page is waited for, and most are not: a notify costs as much as decoding a small page.
   *
   * The one place that does so. Its bytes must have been copied before: a vCPU that reads `present` reads them next.
   * The state changes before the notify, or a woken vCPU would find its page missing and sleep on.
   */
  publish(hostPage: number): PageState {
    const before = Atomics.exchange(this.#states, hostPage, PAGE_STATE.PRESENT) as PageState;
    if (before === PAGE_STATE.REQUESTED) Atomics.notify(this.#states, hostPage);
    return before;
  }

  /** Blocks this thread until a claimed host page is present (true), or `timeoutMs` have passed (false). */
  waitWhileMissing(hostPage: number, timeoutMs: number): boolean {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const state = Atomics.load(this.#states, hostPage);
      if (state === PAGE_STATE.PRESENT) return true;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return false;
      Atomics.wait(this.#states, hostPage, state, leftMs);
    }
  }

  /**
   * Forgets a range of bytes, as QEMU's ram_block_discard_range: its host pages are missing, its received bits clear,
   * its memory zero. Only before the vCPUs run. Checks in QEMU's order and then changes; throws MemoryMapError
   * `discard-start-unaligned` (D39), `discard-overrun` (D41), `discard-length-unaligned` (D40). Length 0 is fine (D42).
   */
  discardRange(startBytes: number, lengthBytes: number): void {
    this.#checkDiscard(startBytes, lengthBytes);
    const firstHostPage = pagesIn(startBytes, this.hostPageBytes);
    const hostPageCount = pagesIn(lengthBytes, this.hostPageBytes);
    for (let i = 0; i < hostPageCount; i += 1) {
      Atomics.store(this.#states, firstHostPage + i, PAGE_STATE.MISSING);
    }
    this.#forgetReceived(pagesIn(startBytes), pagesIn(lengthBytes));
  }

  /**
   * Throws away the target pages of a host page that never became whole. Throws StateError `host-page-present`: a vCPU
   * may have written such a page.
   */
  dropPartial(hostPage: number): void {
    const state = this.pageState(hostPage);
    if (state === PAGE_STATE.PRESENT) {
      const message = `RAM block '${this.name}': host page ${hostPage} is present, not partial`;
      throw new StateError('host-page-present', message, { state: PAGE_STATE_NAMES[state] });
    }
    this.#forgetReceived(hostPage * this.targetPagesPerHostPage, this.targetPagesPerHostPage);
  }

  /**
   * Zeroes the received target pages of a range and clears their bits. Others were never written, and pages that are
   * zero already are left alone: writing zeros to untouched memory would commit it.
   */
  #forgetReceived(firstPage: number, pageCount: number): void {
    const end = firstPage + pageCount;
    for (let page = this.received.nextSet(firstPage, end); page !== -1; ) {
      if (!this.isZeroPage(page)) this.zeroTargetPage(page);
      page = this.received.nextSet(page + 1, end);
    }
    this.received.clearRange(firstPage, pageCount);
  }

  #checkDiscard(startBytes: number, lengthBytes: number): void {
    const where = `RAM block '${this.name}', host page ${formatByteSize(this.hostPageBytes)}: discard`;
    if (!(startBytes >= 0) || startBytes % this.hostPageBytes !== 0) {
      throw new MemoryMapError(
        'discard-start-unaligned',
        `${where} start ${hex(startBytes)} is not a multiple of the host page`,
        { rule: 'D39' },
      );
    }
    if (!(lengthBytes >= 0 && startBytes + lengthBytes <= this.lengthBytes)) {
      throw new MemoryMapError(
        'discard-overrun',
        `${where} of ${hex(lengthBytes)} bytes at ${hex(startBytes)} ends beyond the block's ${hex(this.lengthBytes)}`,
        { rule: 'D41' },
      );
    }
    if (lengthBytes % this.hostPageBytes !== 0) {
      throw new MemoryMapError(
        'discard-length-unaligned',
        `${where} length ${hex(lengthBytes)} at ${hex(startBytes)} is not a multiple of the host page`,
        { rule: 'D40' },
      );
    }
  }
}

/** All RAM of a machine as it goes from thread to thread in a message. */
export interface SharedRamImage {
  readonly blocks: readonly SharedRamBlock[];
}

/** All RAM of a machine: its blocks, in the order of the RAM list. */
export class RamImage {
  readonly shared: SharedRamImage;
  readonly blocks: readonly RamBlock[];
  readonly totalBytes: number;

  /** Allocates all blocks. Throws MemoryMapError as `RamBlock.allocate`, and `bad-ram-block` for a name used twice. */
  static allocate(specs: readonly RamBlockSpec[], initially: 'missing' | 'present'): RamImage {
    const names = new Set(specs.map((spec) => spec.name));
    if (names.size !== specs.length) {
      const listed = specs.map((spec) => spec.name).join(', ');
      throw new MemoryMapError('bad-ram-block', `each RAM block needs a name of its own: ${listed}`);
    }
    return new RamImage({ blocks: specs.map((spec) => RamBlock.allocate(spec, initially).shared) });
  }

  /** The same memory, all present, with other host pages behind it. Throws MemoryMapError `bad-ram-block`. */
  onHostPages(hostPageBytesOf: (block: RamBlockSpec) => number): RamImage {
    const blocks = this.blocks.map(({ spec, shared }) => {
      const backed = { ...spec, hostPageBytes: hostPageBytesOf(spec) };
      return RamBlock.allocate(backed, 'present', shared.segments).shared;
    });
    return new RamImage({ blocks });
  }

  /** The same memory, with a byte per host page that tells who watches how it came. */
  withOrigins(): RamImage {
    const blocks = this.blocks.map(({ shared, hostPageCount }) => {
      return { ...shared, origins: new SharedArrayBuffer(hostPageCount) };
    });
    return new RamImage({ blocks });
  }

  constructor(shared: SharedRamImage) {
    this.shared = shared;
    this.blocks = shared.blocks.map((block) => new RamBlock(block));
    this.totalBytes = this.blocks.reduce((sum, block) => sum + block.lengthBytes, 0);
  }

  /** The block of that name. */
  find(name: string): RamBlock | undefined {
    return this.blocks.find((block) => block.name === name);
  }

  /** The block of that name. Throws MemoryMapError `unknown-block`. */
  get(name: string): RamBlock {
    const block = this.find(name);
    if (block === undefined) {
      const known = this.blocks.map((candidate) => candidate.name).join(', ');
      throw new MemoryMapError('unknown-block', `no RAM block '${name}'; there are: ${known}`);
    }
    return block;
  }
}

/** Throws MemoryMapError `bad-ram-block` unless the block can exist. */
function checkSpec({ name, lengthBytes, hostPageBytes }: RamBlockSpec): void {
  const nameBytes = Buffer.byteLength(name);
  let fault: string | undefined;
  if (nameBytes < 1 || nameBytes > 255) {
    fault = `its name must have 1 to 255 bytes, has ${nameBytes}`;
  } else if (
    !isPowerOfTwo(hostPageBytes) ||
    hostPageBytes < MIN_HOST_PAGE_BYTES ||
    hostPageBytes > MAX_HOST_PAGE_BYTES
  ) {
    fault = `the host page must be a power of two from 4K to 16G, is ${hostPageBytes}`;
  } else if (!(lengthBytes > 0) || lengthBytes % hostPageBytes !== 0 || lengthBytes > MAX_BLOCK_BYTES) {
    fault = `its length must be a multiple of the host page ${formatByteSize(hostPageBytes)} up to 16T, is ${lengthBytes}`;
  }
  if (fault !== undefined) throw new MemoryMapError('bad-ram-block', `RAM block '${name}': ${fault}`);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
