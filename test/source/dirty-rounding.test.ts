// Rounding of dirty state and its discards, against a model that does it page by page.
import fc from 'fast-check';
import t from 'tap';
import { RamBlock } from '../../src/machine/ram-block.ts';
import { dirtyRanges, discardCommands, roundToPlacementPages } from '../../src/source/dirty-rounding.ts';

const PAGE = 4096;
const PAGES = 256;
const SEED = 41;

function blockWith(dirty: readonly number[]): RamBlock {
  const block = RamBlock.allocate(
    { name: 'pc.ram', lengthBytes: PAGES * PAGE, hostPageBytes: PAGE, kind: 'system' },
    'present',
  );
  for (const page of dirty) block.dirty.set(page);
  return block;
}

/** Every page whose placement page holds a dirty one. */
function roundedByHand(dirty: readonly number[], pagesPerUnit: number): number[] {
  const units = new Set(dirty.map((page) => Math.floor(page / pagesPerUnit)));
  return [...Array(PAGES).keys()].filter((page) => units.has(Math.floor(page / pagesPerUnit)));
}

function dirtyPages(block: RamBlock): number[] {
  return [...Array(PAGES).keys()].filter((page) => block.dirty.test(page));
}

const anyDirty = fc.uniqueArray(fc.nat(PAGES - 1), { maxLength: PAGES });
const anyUnit = fc.constantFrom(1, 2, 4, 16, 64, 256);

t.test('whole placement pages, and how many clean pages that adds', (t) => {
  fc.assert(
    fc.property(anyDirty, anyUnit, (dirty, pagesPerUnit) => {
      const block = blockWith(dirty);
      const added = roundToPlacementPages(block, pagesPerUnit * PAGE);
      const expected = roundedByHand(dirty, pagesPerUnit);
      return (
        added === expected.length - dirty.length &&
        JSON.stringify(dirtyPages(block)) === JSON.stringify(expected)
      );
    }),
    { seed: SEED, numRuns: 400 },
  );
  const block = blockWith([5]);
  t.equal(roundToPlacementPages(block, 64 * PAGE), 63, 'one dirty page costs 63 clean ones');
  t.equal(roundToPlacementPages(block, 64 * PAGE), 0, 'rounding again adds nothing');
  t.end();
});

t.test('ranges are the maximal runs', (t) => {
  fc.assert(
    fc.property(anyDirty, anyUnit, (dirty, pagesPerUnit) => {
      const block = blockWith(dirty);
      roundToPlacementPages(block, pagesPerUnit * PAGE);
      const covered: number[] = [];
      let end = -1;
      for (const { start, length } of dirtyRanges(block)) {
        if (start <= end || length <= 0) return false; // must not touch the one before
        if (start % (pagesPerUnit * PAGE) !== 0 || length % (pagesPerUnit * PAGE) !== 0) return false;
        for (let at = start; at < start + length; at += PAGE) covered.push(at / PAGE);
        end = start + length;
      }
      return JSON.stringify(covered) === JSON.stringify(dirtyPages(block));
    }),
    { seed: SEED, numRuns: 400 },
  );
  t.end();
});

t.test('at most twelve ranges in a command, and none for a clean block (S12, S13)', (t) => {
  const rangesOf = (command: Uint8Array) => (command.length - 5 - 3 - 'pc.ram'.length) / 16;
  const every = (count: number) => Array.from({ length: count }, (_, index) => 2 * index);
  t.same([...discardCommands(blockWith([]))], []);
  t.same([...discardCommands(blockWith(every(1)))].map(rangesOf), [1]);
  t.same([...discardCommands(blockWith(every(12)))].map(rangesOf), [12]);
  t.same([...discardCommands(blockWith(every(13)))].map(rangesOf), [12, 1]);
  t.same([...discardCommands(blockWith(every(128)))].map(rangesOf), [...Array(10).fill(12), 8]);
  const [command] = discardCommands(blockWith([1, 2, 255]));
  t.equal(
    Buffer.from(command!).toString('hex'),
    '0800060029' +
      '0006' +
      '70632e72616d' +
      '00' +
      '0000000000001000' +
      '0000000000002000' +
      '00000000000ff000' +
      '0000000000001000',
    'the bytes, written by hand',
  );
  t.end();
});
