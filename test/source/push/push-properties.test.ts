// Whatever is asked and when, every strategy sends every dirty placement page once, whole, and comes to an end.
import fc from 'fast-check';
import t from 'tap';
import { PageOrder, type PageUnit, type PlacedBlock } from '../../../src/source/page-order.ts';
import { DirtyLine } from '../../../src/source/push/dirty-line.ts';
import type { PushStrategy } from '../../../src/source/push/push-strategy.ts';
import { PUSH_NAMES } from '../../../src/source/push/strategies.ts';
import { type BlockShape, makeBlock, PAGE, PushRig } from './push-rig.ts';

const UNITS = [70, 9, 40];
const PER_UNIT = [1, 16, 2];
const NAMES = ['a', 'b', 'c'];
/** Placement pages of a host page where it is larger: those of the last block are whole. */
const PER_HOST_PAGE = [16, 4, 1];

const unit = fc.nat(2).chain((block) => fc.tuple(fc.constant(block), fc.nat(UNITS[block]! - 1)));
/** Dense enough that neighbours are dirty, and not all of them. */
const dirtyUnits = (units: number) =>
  fc
    .array(fc.boolean(), { minLength: units, maxLength: units })
    .map((bits) => bits.flatMap((isDirty, index) => (isDirty ? [index] : [])));
const shapes = fc.tuple(...UNITS.map(dirtyUnits)).map((dirty) =>
  dirty.map((units, index): BlockShape => {
    return { name: NAMES[index]!, units: UNITS[index]!, pagesPerUnit: PER_UNIT[index]!, dirty: units };
  }),
);
/** Requests, each after so many placement pages. */
const requests = fc.array(fc.tuple(fc.nat(120), unit), { maxLength: 40 });
const syncs = fc.array(fc.array(unit, { maxLength: 30 }), { maxLength: 10 });
const faults = fc.array(
  fc.tuple(unit, fc.constantFrom(1, 4, 16)).map(([[block, index], pages]) => ({
    block: NAMES[block]!,
    start: index * PER_UNIT[block]! * PAGE,
    length: pages * PAGE,
  })),
  { maxLength: 30 },
);

const describe = ({ block, firstPage, pageCount }: PageUnit): string =>
  `${block.ram.name}${firstPage}+${pageCount}`;

const COMPOSED: readonly {
  readonly as: string;
  readonly isBroken: boolean;
  readonly pagesPerPiece?: number;
}[] = [
  { as: '', isBroken: false },
  { as: ', the rest of a host page first', isBroken: true },
  { as: ', in pieces', isBroken: false, pagesPerPiece: 8 },
  { as: ', the rest of a host page first, in pieces', isBroken: true, pagesPerPiece: 8 },
];

for (const [name, { as, isBroken, ...pieces }] of PUSH_NAMES.flatMap((push) =>
  COMPOSED.map((one) => [push, one] as const),
)) {
  const strategy = name.replace('N', '3');
  t.test(strategy + as, async () => {
    fc.assert(
      fc.property(shapes, requests, syncs, faults, (plain, asked, dirtied, earlier) => {
        const blocks = isBroken
          ? plain.map((block, index) => ({ ...block, unitsPerHostPage: PER_HOST_PAGE[index]! }))
          : plain;
        const run = (): string[] => {
          const rig = new PushRig(strategy, blocks, { syncs: dirtied, faults: earlier, ...pieces });
          const sent: string[] = [];
          for (let step = 0; ; step += 1) {
            for (const [after, [block, index]] of asked) if (after === step) rig.ask(NAMES[block]!, index);
            const hadRequest = rig.order.hasRequests;
            const next = rig.take();
            if (next !== undefined) {
              if (next.isRequested !== hadRequest && next.isRequested) throw new Error('not asked for');
              sent.push(describe(next));
            } else if (step > 120) {
              if (!rig.order.hasDirty) return sent;
              if (strategy !== 'none') throw new Error('pages are left');
              rig.order.pushRest();
            }
          }
        };
        const sent = run();
        const expected = blocks.flatMap(({ name: block, pagesPerUnit, dirty }) =>
          dirty!.map((index) => `${block}${index * pagesPerUnit}+${pagesPerUnit}`),
        );
        const isOnce = sent.length === expected.length && expected.every((page) => sent.includes(page));
        // The same again: nothing but its state decides.
        return isOnce && run().join() === sent.join();
      }),
      { seed: 51, numRuns: 100 },
    );
  });
}

/** The scan as it was before there were strategies: QEMU's. */
class PlainScan implements PushStrategy {
  readonly #blocks: readonly PlacedBlock[];
  readonly #line: DirtyLine;
  #block = 0;
  #page = 0;

  constructor(blocks: readonly PlacedBlock[], line: DirtyLine) {
    this.#blocks = blocks;
    this.#line = line;
  }

  requested(position: number, isSentForIt: boolean): void {
    if (!isSentForIt) return;
    const { block, firstPage, pageCount } = this.#line.unitAt(position);
    this.#block = this.#blocks.indexOf(block);
    this.#page = firstPage + pageCount;
  }

  next(): number {
    for (let looked = 0; looked <= this.#blocks.length; looked += 1) {
      const block = this.#blocks[this.#block]!;
      for (; this.#page < block.ram.targetPageCount; this.#page += 1) {
        if (block.ram.dirty.test(this.#page)) return this.#line.positionOf(block, this.#page);
      }
      this.#block = (this.#block + 1) % this.#blocks.length;
      this.#page = 0;
    }
    return -1;
  }
}

t.test('forward gives the order that the source always had', async () => {
  fc.assert(
    fc.property(shapes, requests, (blocks, asked) => {
      const run = (order: PageOrder, placed: readonly PlacedBlock[]): string => {
        const sent: string[] = [];
        for (let step = 0; step < 400; step += 1) {
          for (const [after, [block, index]] of asked) {
            const bytes = placed[block]!.placementPageBytes;
            if (after === step) order.request(NAMES[block], index * bytes, bytes);
          }
          const next = order.next();
          next?.block.ram.dirty.clearRange(next.firstPage, next.pageCount);
          if (next !== undefined) sent.push(describe(next) + (next.isRequested ? '!' : ''));
        }
        return sent.join();
      };
      const [plain, ours] = [blocks.map(makeBlock), blocks.map(makeBlock)];
      const scanned = run(new PageOrder(plain, (line) => new PlainScan(plain, line)), plain);
      return scanned === run(new PageOrder(ours), ours);
    }),
    { seed: 52, numRuns: 300 },
  );
});

t.test('the line agrees with a look at every page', async () => {
  const places = fc.array(fc.tuple(fc.nat(70 + 144 + 80), fc.boolean()), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(shapes, places, (blocks, looks) => {
      const placed = blocks.map(makeBlock);
      const line = new DirtyLine(placed);
      const units = (): number[] =>
        placed.flatMap((block) =>
          Array.from({ length: block.ram.targetPageCount }, (_, page) => page)
            .filter((page) => block.ram.dirty.test(page))
            .map((page) => line.positionOf(block, page)),
        );
      return looks.every(([from, isUp]) => {
        // Places are those of placement pages, and the end.
        const place =
          from >= line.end ? line.end : line.positionOf(line.unitAt(from).block, line.unitAt(from).firstPage);
        const all = units();
        const found = isUp ? line.nextDirty(place) : line.lastDirtyBefore(place);
        const expected = isUp
          ? all.find((position) => position >= place)
          : all.findLast((position) => position < place);
        if (found !== (expected ?? -1)) return false;
        if (found === -1) return true;
        const { block, firstPage, pageCount } = line.unitAt(found);
        block.ram.dirty.clearRange(firstPage, pageCount);
        return line.isDirty(found) === false && line.endOfUnit(found) === found + pageCount;
      });
    }),
    { seed: 53, numRuns: 500 },
  );
});
