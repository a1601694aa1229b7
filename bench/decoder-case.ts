// The decoder alone: page records from memory, counted or placed.
import { FaultBoard } from '../src/destination/fault-board.ts';
import { PagePlacer } from '../src/destination/page-placer.ts';
import { RamTally } from '../src/destination/ram-tally.ts';
import { RamImage } from '../src/machine/ram-block.ts';
import { monotonicNs } from '../src/monotonic-clock.ts';
import { RamRecordDecoder, type RamSink } from '../src/protocol/ram-record-decoder.ts';
import { encodePages, inChunks } from './page-stream.ts';
import { formatSpread, type Spread, spreadOf } from './spread.ts';
import { formatTable } from './table.ts';

/** What the decoder must reach, in GB/s. */
export const DECODER_GOAL_GBPS = 2;
const BLOCK = 'ram0';
/** 64 MiB: larger than every cache, as RAM is. */
const PAGE_COUNT = 16 * 1024;
const TARGET_PAGE_BYTES = 4096;

/** GB/s of page records. */
export interface DecoderResult {
  readonly counted: Spread;
  /** Into memory that is touched already. */
  readonly placed: Spread;
}

/** Fails on everything but pages. */
function sinkOf(pages: Pick<RamSink, 'selectBlock' | 'page' | 'pageBytes'>): RamSink {
  const refuse = (): never => {
    throw new Error('expected page records only');
  };
  return {
    selectBlock: (name) => pages.selectBlock(name),
    page: (offset) => pages.page(offset),
    pageBytes: (input, start, end, at) => pages.pageBytes(input, start, end, at),
    zeroPage: refuse,
    ramList: refuse,
    pageSizeField: refuse,
    endOfPayload: () => undefined,
  };
}

class CountingSink {
  pageCount = 0;
  byteCount = 0;
  selectBlock(): void {}
  page(): void {
    this.pageCount += 1;
  }
  pageBytes(_input: Uint8Array, start: number, end: number): void {
    this.byteCount += end - start;
  }
}

/** Decodes the stream once; returns GB/s. */
function timeDecode(stream: Uint8Array, sink: RamSink): number {
  const decoder = new RamRecordDecoder(sink);
  const startNs = process.hrtime.bigint();
  inChunks(stream, (start, end) => decoder.consume(stream, start, end, start));
  return stream.length / Number(process.hrtime.bigint() - startNs);
}

function countOnce(stream: Uint8Array): number {
  const sink = new CountingSink();
  const rate = timeDecode(stream, sinkOf(sink));
  if (sink.pageCount !== PAGE_COUNT || sink.byteCount !== PAGE_COUNT * TARGET_PAGE_BYTES) {
    throw new Error(`expected ${PAGE_COUNT} pages, found ${sink.pageCount} with ${sink.byteCount} bytes`);
  }
  return rate;
}

function placeOnce(stream: Uint8Array, ram: RamImage): number {
  ram.blocks[0]!.discardRange(0, ram.totalBytes);
  const tally = new RamTally(ram, { nowNs: () => 0, collapseNs: 0 });
  tally.isPostcopy = true;
  const placer = new PagePlacer(tally, {
    profile: 'strict',
    board: FaultBoard.allocate(1),
    nowNs: monotonicNs,
  });
  const rate = timeDecode(stream, sinkOf(placer));
  tally.checkComplete();
  return rate;
}

/** Decodes the stream `rounds` times for each sink, after a warm-up that is dropped. */
export function decoderCase(rounds: number): DecoderResult {
  const stream = encodePages(BLOCK, PAGE_COUNT);
  const spec = {
    name: BLOCK,
    lengthBytes: PAGE_COUNT * TARGET_PAGE_BYTES,
    hostPageBytes: 4096,
    kind: 'system',
  } as const;
  const ram = RamImage.allocate([spec], 'missing');
  const counted: number[] = [];
  const placed: number[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const rates = [countOnce(stream), placeOnce(stream, ram)] as const;
    if (round === 0) continue;
    counted.push(rates[0]);
    placed.push(rates[1]);
  }
  return { counted: spreadOf(counted), placed: spreadOf(placed) };
}

/** The result as a table. */
export function describeDecoder({ counted, placed }: DecoderResult): string {
  const row = (name: string, spread: Spread) => [
    name,
    formatSpread(spread, 1),
    `${DECODER_GOAL_GBPS}`,
    spread.median >= DECODER_GOAL_GBPS ? 'yes' : 'NO',
  ];
  return formatTable(
    ['decoder alone', 'GB/s, median (min..max)', 'goal', 'reached'],
    [row('pages counted', counted), row('pages placed, memory touched before', placed)],
  );
}
