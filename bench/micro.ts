// `npm run bench:micro`: the inner parts one by one, with benny.
import benny from 'benny';
import { FaultBoard } from '../src/destination/fault-board.ts';
import { PagePlacer } from '../src/destination/page-placer.ts';
import { RamTally } from '../src/destination/ram-tally.ts';
import { RamImage } from '../src/machine/ram-block.ts';
import { SharedBitmap } from '../src/machine/shared-bitmap.ts';
import { monotonicNs } from '../src/monotonic-clock.ts';
import { COMMANDS } from '../src/protocol/commands.ts';
import { RETURN_PATH_MESSAGES } from '../src/protocol/return-path-messages.ts';
import { SECTIONS } from '../src/protocol/sections.ts';
import { discardCommands, roundToPlacementPages } from '../src/source/dirty-rounding.ts';
import { describeMachine, machineFacts } from './machine-facts.ts';
import { formatTable } from './table.ts';

const MIB = 2 ** 20;
const TARGET_PAGE_BYTES = 4096;
/** One target page in so many is dirty, wherever a sparse bitmap is meant. */
const SPARSE_STEP = 61;

// A function that a case returns would be taken as its set-up, so set-up stands before the case, and each case is a
// statement that returns nothing.

/** benny's own report moves the cursor, also in a pipe. */
const REPORT = [
  benny.configure({ cases: { maxTime: 0.5 } }),
  benny.complete((summary) => {
    const rows = summary.results.map(({ name, ops, margin }) => [
      name,
      (1e9 / ops).toFixed(0),
      `±${margin.toFixed(1)} %`,
    ]);
    process.stdout.write(`${formatTable([summary.name, 'ns', ''], rows)}\n\n`);
  }),
];

/** A value for every field that any message declares; a new field without one fails its message's case. */
const FIELD_VALUES = {
  ...{ value: 1, version: 0, terminator: 0, length: TARGET_PAGE_BYTES, start: 0x123000, text: 'a reason' },
  ...{ pageSizeSummary: TARGET_PAGE_BYTES, targetPageSize: TARGET_PAGE_BYTES, block: 'pc.ram' },
  ...{ hostPage: 2 * MIB, placementPage: 2 * MIB, json: '{}', machine: 'none' },
  ...{ sectionId: 2, idstr: 'ram', instanceId: 0, versionId: 4 },
  ranges: Array.from({ length: 12 }, (_, index) => ({ start: index * 0x4000, length: TARGET_PAGE_BYTES })),
};

interface Codec {
  readonly name: string;
  encode(values: object): Uint8Array;
  decode(bytes: Uint8Array): object;
}

async function codecSuite(title: string, table: object): Promise<void> {
  const codecs = Object.values(table) as Codec[];
  await benny.suite(
    `encode and decode: ${title}`,
    ...codecs.map((codec) =>
      benny.add(codec.name, () => {
        codec.decode(codec.encode(FIELD_VALUES));
      }),
    ),
    ...REPORT,
  );
}

function sparse(pageCount: number): SharedBitmap {
  const bitmap = SharedBitmap.allocate(pageCount);
  for (let page = 0; page < pageCount; page += SPARSE_STEP) bitmap.set(page);
  return bitmap;
}

function smallRam(): RamImage {
  const spec = {
    name: 'pc.ram',
    lengthBytes: 64 * MIB,
    hostPageBytes: TARGET_PAGE_BYTES,
    kind: 'system',
  } as const;
  return RamImage.allocate([spec], 'missing');
}

async function roundingSuite(): Promise<void> {
  const block = smallRam().blocks[0]!;
  const dirty = sparse(block.targetPageCount);
  await benny.suite(
    'discards of 64 MiB, one page in 61 dirty',
    ...[4096, 64 * 1024, 2 * MIB].map((placementPageBytes) =>
      benny.add(`rounded to ${placementPageBytes / 1024} KiB`, () => {
        block.dirty.clearRange(0, block.targetPageCount);
        for (let page = dirty.nextSet(0); page !== -1; page = dirty.nextSet(page + 1)) block.dirty.set(page);
        roundToPlacementPages(block, placementPageBytes);
        for (const command of discardCommands(block)) if (command.length === 0) throw new Error('empty');
      }),
    ),
    ...REPORT,
  );
}

async function placingSuite(): Promise<void> {
  const ram = smallRam();
  const tally = new RamTally(ram, { nowNs: () => 0, collapseNs: 0 });
  tally.isPostcopy = true;
  const placer = new PagePlacer(tally, {
    profile: 'strict',
    board: FaultBoard.allocate(1),
    nowNs: monotonicNs,
  });
  placer.selectBlock('pc.ram');
  const input = new Uint8Array(TARGET_PAGE_BYTES + 8).fill(0x5a);
  const place = (start: number): void => {
    placer.page(0);
    placer.pageBytes(input, start, start + TARGET_PAGE_BYTES, 0);
    tally.discard('pc.ram', [{ start: 0, length: TARGET_PAGE_BYTES }]);
  };
  await benny.suite(
    'place a 4 KiB page, and discard it',
    benny.add('aligned input', () => {
      place(0);
    }),
    benny.add('input at an odd offset', () => {
      place(3);
    }),
    ...REPORT,
  );
}

async function bitmapSuite(): Promise<void> {
  const pageCount = (8 * 1024 * MIB) / TARGET_PAGE_BYTES;
  const empty = SharedBitmap.allocate(pageCount);
  const some = sparse(pageCount);
  const log = SharedBitmap.allocate(pageCount);
  const dirty = SharedBitmap.allocate(pageCount);
  await benny.suite(
    'bitmaps of 8 GiB of RAM',
    benny.add('scan, nothing set', () => {
      if (empty.nextSet(0) !== -1) throw new Error('expected no bit');
    }),
    benny.add('scan, one page in 61', () => {
      for (let page = some.nextSet(0); page !== -1; page = some.nextSet(page + 1));
    }),
    benny.add('sync, nothing logged', () => {
      dirty.takeFrom(log);
    }),
    benny.add('sync, one page in 64 logged', () => {
      for (let page = 0; page < pageCount; page += 64) log.set(page);
      dirty.takeFrom(log);
    }),
    ...REPORT,
  );
}

process.stdout.write(`${describeMachine(machineFacts())}\n\n`);
await codecSuite('sections', SECTIONS);
await codecSuite('commands', COMMANDS);
await codecSuite('return path', RETURN_PATH_MESSAGES);
await roundingSuite();
await placingSuite();
await bitmapSuite();
