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
import { DirtyHistory } from '../src/source/dirty-history.ts';
import { discardCommands, roundToPlacementPages } from '../src/source/dirty-rounding.ts';
import { PageOrder } from '../src/source/page-order.ts';
import type { RecordedFault } from '../src/source/push/push-strategy.ts';
import { findPush, PUSH_NAMES } from '../src/source/push/strategies.ts';
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

/** A push of a GiB of 4 KiB pages, begun again whenever it is over; every `requestEvery` pages one is asked for. */
function pushLoop(name: string, requestEvery: number): () => void {
  const spec = {
    name: 'pc.ram',
    lengthBytes: 1024 * MIB,
    hostPageBytes: TARGET_PAGE_BYTES,
    kind: 'system',
  } as const;
  const ram = RamImage.allocate([spec], 'missing').blocks[0]!;
  const { dirty, targetPageCount } = ram;
  const blocks = [{ ram, placementPageBytes: TARGET_PAGE_BYTES }];
  const begin = findPush(name)!;
  const history = new DirtyHistory(blocks);
  history.beginSync();
  for (let page = 0; page < targetPageCount; page += 32) history.note(0, page, 0x0f0f0f0f);
  const faults: RecordedFault[] = [];
  for (let page = 0; page < targetPageCount; page += SPARSE_STEP) {
    const start = ((page * 7919) % targetPageCount) * TARGET_PAGE_BYTES;
    faults.push({ block: 'pc.ram', start, length: TARGET_PAGE_BYTES });
  }
  let order: PageOrder | undefined;
  let count = 0;
  let place = 0;
  return () => {
    count += 1;
    if (count % requestEvery === 0) {
      place = (place + 0x9e3779b1) % targetPageCount;
      order?.request('pc.ram', place * TARGET_PAGE_BYTES, TARGET_PAGE_BYTES);
    }
    const unit = order?.next();
    if (unit !== undefined) {
      dirty.clear(unit.firstPage);
      return;
    }
    dirty.setRange(0, targetPageCount);
    order = new PageOrder(blocks, (line) => begin({ line, history, faults }));
  };
}

async function pushSuite(): Promise<void> {
  const names = PUSH_NAMES.map((name) => name.replace('N', '8'));
  for (const [title, requestEvery] of [
    ['nothing requested', Number.POSITIVE_INFINITY],
    ['one page in 16 requested, anywhere', 16],
  ] as const) {
    await benny.suite(
      `next page of 1 GiB to push, ${title}`,
      ...names
        // Without requests it sends nothing.
        .filter((name) => name !== 'none')
        .map((name) => {
          const step = pushLoop(name, requestEvery);
          return benny.add(name, () => {
            step();
          });
        }),
      ...REPORT,
    );
  }
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
await pushSuite();
await bitmapSuite();
