// The guest of bench/qemu as firmware, and the log that it leaves in its memory; walker.asm tells what it does.

/** Where the walked pages begin: below it lie its log and what it tells of itself. */
export const WALK_BASE = 0x100000;
/** What it tells of itself: how many writes were logged, whether its pages are filled, and the counter. */
export const CONTROL = { address: 0x8000, length: 16 } as const;
/** The ring of logged writes. */
export const LOG = { address: 0x10000, entryCount: 0x8000, entryLength: 16 } as const;

const IMAGE_LENGTH = 0x10000;
const RESET_VECTOR = 0xfff0;
/** Of nasm, see walker.asm. The first two words are the page count and the threshold. */
const CODE =
  '0000000000000000fa2e660f011638000f20c00c010f22c066ea3e00ffff08000000000000000000' +
  'ffff0000009acf00ffff00000092cf0017002000ffff66b810008ed88ec0bf000010008b0d0000ff' +
  'ff893f81c7001000004975f5c7050080000000000000c7050480000001000000bdb979379e89e8c1' +
  'e00d31c589e8c1e81131c589e8c1e00531c589e8f7250000ffffc1e20c8dba000010000f3189c683' +
  '07020f31a30880000089150c80000089c329f33b1d0400ffff72ba8b0d0080000081e1ff7f0000c1' +
  'e10489b90000010089990400010089810800010089910c000100ff0500800000eb8b';
const RESET_JUMP = 'e91500';

/** A write that took long. */
export interface LoggedWrite {
  /** Of its page, in guest memory. */
  readonly address: number;
  /** Of the time-stamp counter. */
  readonly ticks: number;
  /** The counter after it. */
  readonly counter: number;
}

/** What the guest tells of itself. */
export interface WalkerState {
  readonly isFilled: boolean;
  readonly loggedCount: number;
  /** The time-stamp counter after its last write. */
  readonly counter: number;
}

/** Its firmware, for `-bios`. A write of at least so many ticks is logged. */
export function walkerImage(options: { pageCount: number; thresholdTicks: number }): Buffer {
  const image = Buffer.alloc(IMAGE_LENGTH);
  image.write(CODE, 0, 'hex');
  image.writeUInt32LE(options.pageCount, 0);
  image.writeUInt32LE(options.thresholdTicks, 4);
  image.write(RESET_JUMP, RESET_VECTOR, 'hex');
  return image;
}

/** Reads CONTROL. */
export function readState(control: Buffer): WalkerState {
  return {
    loggedCount: control.readUInt32LE(0),
    isFilled: control.readUInt32LE(4) === 1,
    counter: Number(control.readBigUInt64LE(8)),
  };
}

/** Reads LOG in order of time. @throws RangeError if the ring has lost some */
export function readLog(log: Buffer, loggedCount: number): LoggedWrite[] {
  if (loggedCount > LOG.entryCount) {
    throw new RangeError(`expected at most ${LOG.entryCount} logged writes, found ${loggedCount}`);
  }
  return Array.from({ length: loggedCount }, (_, index) => {
    const at = index * LOG.entryLength;
    return {
      address: log.readUInt32LE(at),
      ticks: log.readUInt32LE(at + 4),
      counter: Number(log.readBigUInt64LE(at + 8)),
    };
  });
}

/**
 * Of the logged writes those that waited for their page: between two moments of the counter, and the first of each page, since a
 * page is missing once. What else takes long is the scheduler's doing.
 */
export function stallsOf(
  writes: readonly LoggedWrite[],
  { from, to, pageBytes }: { from: number; to: number; pageBytes: number },
): LoggedWrite[] {
  const seen = new Set<number>();
  return writes.filter(({ address, ticks, counter }) => {
    const page = Math.floor(address / pageBytes);
    if (counter - ticks < from || counter - ticks > to || seen.has(page)) return false;
    seen.add(page);
    return true;
  });
}
