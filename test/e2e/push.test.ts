// One migration with each push strategy between two processes, proved, and what both ends count of it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { MigrationResult } from '../../src/telemetry/result.ts';
import { NOW, ram, to } from './check-migration.ts';
import { migrate, temporaryDirectory } from './command.ts';

const directory = temporaryDirectory(t);
const faultsPath = join(directory, 'faults.json');
const HOST_PAGES = 2048;
/** A slow background, so that there is something to ask for. */
const SOURCE = [...ram('8M', '64K'), '--smp', '1', '--max-postcopy-bandwidth', '16M'];

async function push(
  strategy: string,
  source: readonly string[],
): Promise<[MigrationResult, MigrationResult]> {
  const ends = await migrate({
    source: [...SOURCE, '--push', strategy, ...source],
    destination: [...to('4K'), '--smp', '1', '--faults'],
  });
  for (const { exitCode, stderr, result } of [ends.source, ends.destination]) {
    t.equal(exitCode, 0, stderr || JSON.stringify(result?.error));
  }
  return [ends.source.result, ends.destination.result];
}

/** What must hold whatever the strategy was. */
function check(t: Test, strategy: string, from: MigrationResult, result: MigrationResult): void {
  t.equal(result.guestVerified, true, result.guestVerification);
  const [sent, seen] = [from.push!, result.push!];
  t.equal(sent.strategy, strategy);
  t.ok(sent.requestsFoundSent! <= sent.requests!);
  t.equal(sent.requests, result.stalls!.requests, 'every request was read');
  t.ok(sent.longestStarvedNs! <= sent.starvedNs!);
  t.equal(seen.pushedTouched! + seen.pushedUntouched!, seen.pushedHostPages);
  t.equal(seen.pushedHostPages, result.pages.postcopyBackground);
  // A page that comes just as it is touched is counted as both.
  const postcopyPages = result.pages.postcopyBackground! + result.pages.requested!;
  t.ok(seen.pushedHostPages! + seen.faultedHostPages! >= postcopyPages);
}

t.test('none, by a guest that touches everything: all of it is asked for', async (t) => {
  const [from, result] = await push('none', [...NOW, '--guest', 'sequential', '--push-after', '10000']);
  check(t, 'none', from, result);
  t.equal(from.pages.postcopyBackground, 0);
  t.match(from.push, { requests: HOST_PAGES, requestsFoundSent: 0, pullNs: null, starvedNs: 0 });
  t.match(result.push, { faultedHostPages: HOST_PAGES, pushedHostPages: 0 });
  writeFileSync(faultsPath, JSON.stringify(result));
});

t.test('recorded, with the faults of that run', async (t) => {
  const [from, result] = await push('recorded', [
    ...NOW,
    '--guest',
    'sequential',
    '--push-faults',
    faultsPath,
  ]);
  check(t, 'recorded', from, result);
});

t.test('none, by a guest that touches hardly anything: the rest is pushed after a while', async (t) => {
  const [from, result] = await push('none', [...NOW, '--guest', 'idle', '--push-after', '150']);
  check(t, 'none', from, result);
  t.ok(from.push!.pullNs! >= 150e6, `${from.push!.pullNs}`);
  t.ok(result.push!.pushedUntouched! >= HOST_PAGES - 1, 'which nobody had a use for');
});

for (const strategy of ['sequential', 'forward', 'bubble', 'bubble-4', 'reverse', 'stride']) {
  t.test(strategy, async (t) => {
    const [from, result] = await push(strategy, [...NOW, '--guest', 'random']);
    check(t, strategy, from, result);
    t.ok(from.push!.requests! > 0, 'something was asked for');
    t.equal(from.push!.pullNs, null);
  });
}

t.test('hot-first', async (t) => {
  const source = [
    '--postcopy-after',
    '1',
    '--downtime-limit',
    '0',
    '--guest',
    'zipf',
    '--max-bandwidth',
    '50M',
  ];
  const [from, result] = await push('hot-first', source);
  check(t, 'hot-first', from, result);
  t.ok(from.pages.postcopyBackground! + from.pages.requested! > 0, 'something was dirtied');
});
