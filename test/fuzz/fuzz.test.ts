// Every fuzz target for ten thousand cases, with a fixed seed; `npm run fuzz` goes on from there.
import t from 'tap';
import { findFailure } from './find-failure.ts';
import { TARGETS } from './targets.ts';

const SEED = 20180418;
const CASES = 10_000;

for (const [name, makeTarget] of Object.entries(TARGETS)) {
  t.test(`${name}: ${CASES} damaged streams end in order`, { timeout: 300_000 }, async (t) => {
    const target = makeTarget();
    const failure = findFailure(target, { seed: SEED, caseCount: CASES });
    if (failure === undefined) {
      t.pass(`${CASES} cases of seed ${SEED}`);
      return;
    }
    t.fail(String(failure.error), {
      replay: `npm run fuzz -- --target ${name} --replay ${Buffer.from(failure.input).toString('hex')}`,
      case: target.describe(failure.input),
    });
  });
}
