// After which pass postcopy starts.
import t from 'tap';
import { decideAfterPass, type PostcopyAfter } from '../../src/source/switchover-policy.ts';
import type { PassEstimate } from '../../src/telemetry/expected-downtime.ts';

type Passes = Parameters<typeof decideAfterPass>[1];

/** A pass that sent 100 pages, in which the guest dirtied so many. */
function pass(pagesDirtied: number, converges: 'now' | 'over-pass' | 'no' = 'no'): PassEstimate {
  return {
    pagesDirtied,
    bytesSent: 100 * 4096,
    converges: converges === 'now',
    overPass: { converges: converges === 'over-pass' },
  } as PassEstimate;
}

const decide = (policy: PostcopyAfter, ...passes: Passes) => decideAfterPass(policy, passes, 4096);

t.test('what converges is finished as precopy, whatever was asked (S45)', (t) => {
  for (const policy of [
    { kind: 'passes', count: 1 },
    { kind: 'no-convergence' },
    { kind: 'never' },
  ] as const) {
    t.equal(decide(policy, pass(100, 'now')), 'complete');
    t.equal(decide(policy, pass(100, 'over-pass')), 'complete');
  }
  t.end();
});

t.test('after so many passes', (t) => {
  const policy = { kind: 'passes', count: 2 } as const;
  t.equal(decide(policy, pass(100)), 'another-pass');
  t.equal(decide(policy, pass(100), pass(100)), 'postcopy');
  t.end();
});

t.test('never', (t) => {
  t.equal(decide({ kind: 'never' }, ...Array.from({ length: 50 }, () => pass(100))), 'another-pass');
  t.end();
});

t.test('no convergence: twice in a row more than half of what was sent', (t) => {
  const policy = { kind: 'no-convergence' } as const;
  t.equal(decide(policy, pass(51)), 'another-pass', 'once is not enough');
  t.equal(decide(policy, pass(51), pass(51)), 'postcopy');
  t.equal(decide(policy, pass(51), pass(50)), 'another-pass', 'half is not more than half');
  t.equal(decide(policy, pass(51), pass(10), pass(51)), 'another-pass', 'not in a row');
  t.equal(decide(policy, pass(0), pass(99), pass(99)), 'postcopy');
  t.end();
});
