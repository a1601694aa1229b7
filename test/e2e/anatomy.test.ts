// What stalls waited for, as both ends of real migrations tell it together: it adds up, and the cause that was made is found.
import t, { type Test } from 'tap';
import { withCauses } from '../../src/telemetry/anatomy.ts';
import type { MigrationResult } from '../../src/telemetry/result.ts';
import { STALL_CAUSE_NAMES, type StallCause, type StallCauses } from '../../src/telemetry/stall-causes.ts';
import { validateResult } from '../cli/validate-result.ts';
import { NOW, ram, to } from './check-migration.ts';
import { migrate } from './command.ts';

/** Everything is asked for: a request finds nothing of the background before it. */
const PULL = ['--push', 'none', '--push-after', '10000', '--guest', 'sequential'];

async function anatomy(
  t: Test,
  source: readonly string[],
  destination: readonly string[],
): Promise<[StallCauses, MigrationResult]> {
  const ends = await migrate({
    source: [...NOW, '--smp', '1', '--requests', ...source],
    destination: ['--smp', '1', '--faults', ...destination],
  });
  for (const { exitCode, stderr, result } of [ends.source, ends.destination]) {
    t.equal(exitCode, 0, stderr || JSON.stringify(result?.error));
    validateResult(JSON.stringify(result));
  }
  const joined = withCauses(ends.source.result, ends.destination.result, true);
  validateResult(JSON.stringify(joined));
  const { causes, totalNs, requests } = joined.stalls!;
  t.equal(
    STALL_CAUSE_NAMES.reduce((sum, name) => sum + causes.totalsNs[name], 0),
    totalNs,
    'all causes together are all stalls',
  );
  for (const { causesNs, resumedNs, faultNs } of joined.faults!) {
    const sum = Object.values(causesNs!).reduce((a, b) => a + b, 0);
    if (sum !== resumedNs - faultNs) t.equal(sum, resumedNs - faultNs, 'and those of each fault its stall');
  }
  t.ok(requests > 0 && causes.toldCount >= requests - 1, `${causes.toldCount} told of ${requests}`);
  // The last request may come when the last page has left, and the source reads no more.
  const untold = joined.faults!.filter(({ causesNs }) => (causesNs?.untold ?? 0) > 0);
  t.ok(untold.length <= 1, `${untold.length} faults untold`);
  // Both ends read one clock here, so the estimate can be checked, and no time is out of order.
  t.equal(causes.clock?.isOneClock, true, JSON.stringify(causes.clock));
  t.match(causes, { clippedCount: 0, clippedMaxNs: 0 });
  return [causes, joined];
}

function biggest({ totalsNs }: StallCauses): StallCause {
  return STALL_CAUSE_NAMES.toSorted((a, b) => totalsNs[b] - totalsNs[a])[0]!;
}

t.test('2 MiB pages on demand, over a link that takes its time: the rest of the page', async (t) => {
  const [causes] = await anatomy(
    t,
    [...ram('32M', '4K'), ...PULL, '--link', '2gbit', '--rtt', '100us'],
    to('2M'),
  );
  t.equal(biggest(causes), 'restOfPage', JSON.stringify(causes.shares));
});

t.test('4 KiB pages on demand, over a slow link: the wire', async (t) => {
  const [causes] = await anatomy(
    t,
    [...ram('1M', '4K'), ...PULL, '--zero-percent', '0', '--link', '4mbit'],
    to('4K'),
  );
  t.equal(biggest(causes), 'wire', JSON.stringify(causes.shares));
});

t.test('4 KiB pages beside a push without bounds: what the source had written before', async (t) => {
  const source = ['--max-flight', '0', '--zero-percent', '0', '--link', '100mbit', '--link-queue', '4M'];
  const [causes] = await anatomy(t, [...ram('16M', '4K'), ...source, '--guest', 'random'], to('4K'));
  t.equal(biggest(causes), 'behindFlight', JSON.stringify(causes.shares));
});

t.test('a destination alone tells what it cannot know', async (t) => {
  const [, joined] = await anatomy(t, [...ram('8M', '4K'), ...PULL], to('4K'));
  const alone = withCauses(null, joined);
  t.ok(alone.stalls!.causes.clock !== null, 'joined before');
  const { destination } = await migrate({
    source: [...NOW, ...ram('8M', '4K'), ...PULL, '--smp', '1'],
    destination: ['--smp', '1', ...to('4K')],
  });
  const { causes, totalNs } = destination.result.stalls!;
  t.match(causes, { clock: null, toldCount: 0, totalsNs: { request: 0, source: 0, behindFlight: 0 } });
  t.ok(causes.totalsNs.untold > 0 && causes.totalsNs.untold < totalNs);
  t.equal(destination.result.faults, undefined);
  t.equal(destination.result.pongs, undefined);
});
