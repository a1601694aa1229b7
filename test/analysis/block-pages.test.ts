// The pages of a block, against a model that keeps every page by itself.
import fc from 'fast-check';
import t from 'tap';
import { BlockPages } from '../../src/analysis/block-pages.ts';

const SEED = 20180418;
const PAGE = 4096;

t.test('counts are those of a model that is one object a page', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constantFrom('data', 'zero'), index: fc.nat(), isSinceListen: fc.boolean() }),
    fc.record({ kind: fc.constant('discard'), index: fc.nat(), count: fc.integer({ min: 1, max: 9000 }) }),
  );
  const given = fc.record({
    pageCount: fc.constantFrom(1, 7, 64, 8192, 8200),
    hostPages: fc.constantFrom(1, 4, 512),
    steps: fc.array(step, { maxLength: 40 }),
  });
  fc.assert(
    fc.property(given, ({ pageCount, hostPages, steps }) => {
      const pages = new BlockPages('ram', pageCount * PAGE, PAGE);
      if (hostPages > 1) pages.listedPageBytes = hostPages * PAGE;
      const model = Array.from({ length: pageCount }, () => ({ held: false, discarded: false }));
      const seen = { discardedAfterSent: 0, discarded: 0 };
      for (const action of steps) {
        const index = action.index % pageCount;
        if ('count' in action) {
          const end = Math.min(pageCount, index + action.count);
          pages.discard(index * PAGE, (end - index) * PAGE);
          for (const page of model.slice(index, end)) {
            if (page.held) seen.discardedAfterSent += 1;
            page.held = false;
            page.discarded = true;
          }
          seen.discarded += end - index;
        } else {
          const sent = pages.send(index * PAGE, action.kind as 'data' | 'zero', action.isSinceListen);
          if (sent.startsWith('new') === model[index]!.held) return false;
          model[index] = { held: true, discarded: false };
        }
      }
      let [held, partial] = [0, 0];
      for (let start = 0; start < pageCount; start += hostPages) {
        const slice = model.slice(start, start + hostPages);
        const heldCount = slice.filter((page) => page.held).length;
        const isHeld = heldCount === slice.length;
        if (isHeld !== pages.isHeld(start / hostPages)) return false;
        if (isHeld) held += 1;
        else if (heldCount > 0) partial += 1;
      }
      const figures = pages.figures();
      return (
        figures.hostPagesHeld === held &&
        figures.hostPagesPartial === partial &&
        figures.discarded === seen.discarded &&
        figures.discardedAfterSent === seen.discardedAfterSent &&
        figures.missing === model.filter((page) => !page.held).length &&
        figures.missingAfterDiscard === model.filter((page) => !page.held && page.discarded).length
      );
    }),
    { seed: SEED, numRuns: 500 },
  );
});

t.test('a huge block that is discarded whole costs little', async (t) => {
  const pages = new BlockPages('ram', 2 ** 40, PAGE);
  pages.discard(0, 2 ** 40);
  t.equal(pages.figures().missingAfterDiscard, 2 ** 28);
  pages.send(2 ** 39, 'data', true);
  t.equal(pages.figures().missingAfterDiscard, 2 ** 28 - 1);
  t.equal(pages.send(PAGE, 'zero', true), 'new', 'the others stay discarded');
});
