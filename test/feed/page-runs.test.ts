// Runs of page states: what is written is read back, and what cannot be is refused whole.
import fc from 'fast-check';
import t from 'tap';
import { applyRuns, FEED_PAGE, RunWriter } from '../../src/feed/page-runs.ts';

const SEED = 20251125;

t.test('runs come back as they were', async (t) => {
  const state = fc.constantFrom(...Object.values(FEED_PAGE).filter((code) => code !== FEED_PAGE.UNCHANGED));
  const runs = fc.array(fc.record({ state, count: fc.integer({ min: 1, max: 50 }) }), { maxLength: 40 });
  fc.assert(
    fc.property(runs, fc.nat(20), (list, first) => {
      const writer = new RunWriter(4096);
      const expected = list.flatMap(({ state, count }) =>
        Array.from({ length: count }, () => state as number),
      );
      for (const { state, count } of list) if (!writer.add(state, count)) throw new Error('no room');
      const states = new Uint8Array(first + expected.length + 3).fill(FEED_PAGE.DIRTY);
      const end = applyRuns(states, first, writer.take());
      t.equal(end, first + expected.length);
      t.strictSame([...states.subarray(first, end)], expected);
      t.strictSame([...states.subarray(end)], [FEED_PAGE.DIRTY, FEED_PAGE.DIRTY, FEED_PAGE.DIRTY]);
    }),
    { seed: SEED },
  );
});

t.test('a run of a state and a count takes five bytes', async (t) => {
  const writer = new RunWriter(100);
  writer.add(FEED_PAGE.SENT, 1);
  writer.add(FEED_PAGE.SENT, 255);
  writer.add(FEED_PAGE.ZERO, 1);
  t.equal(Buffer.from(writer.take()).toString('hex'), '09000001000500000001');
  t.equal(writer.take().length, 0, 'and then it begins anew');
});

t.test('what is unchanged stays', async (t) => {
  const states = Uint8Array.of(1, 2, 3, 4);
  applyRuns(states, 1, Uint8Array.of(255, 0, 0, 0, 2, 9, 0, 0, 0, 1));
  t.strictSame([...states], [1, 2, 3, 9]);
});

t.test('without room nothing is added', async (t) => {
  const writer = new RunWriter(9);
  t.equal(writer.add(FEED_PAGE.SENT, 4), true);
  t.equal(writer.add(FEED_PAGE.ZERO, 4), false);
  t.equal(writer.add(FEED_PAGE.SENT, 4), true, 'more of the same needs none');
  t.equal(Buffer.from(writer.take()).toString('hex'), '0900000008');
});

t.test('bad runs change nothing', async (t) => {
  const bad: Record<string, Uint8Array> = {
    'a part of a run': Uint8Array.of(1, 0, 0, 0),
    'more than there is': Uint8Array.of(1, 0, 0, 0, 2, 1, 255, 255, 255, 255),
    'no state': Uint8Array.of(1, 0, 0, 0, 1, 11, 0, 0, 0, 1),
  };
  for (const [what, runs] of Object.entries(bad)) {
    const states = new Uint8Array(4);
    t.throws(() => applyRuns(states, 0, runs), { code: 'bad-runs' }, what);
    t.strictSame([...states], [0, 0, 0, 0], what);
  }
});
