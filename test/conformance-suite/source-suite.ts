// Runs the suite against a source that is started by a command, and tells what came of each rule.
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import type { RuleResult } from '../../src/conformance/rule.ts';
import { rulesOf } from '../../src/conformance/rules.ts';
import { runSuite } from '../../src/conformance/run-suite.ts';
import { spawnedPeers } from '../../src/conformance/spawn-peer.ts';
import type { LayoutBlock } from '../../src/conformance/subject.ts';
import type { Profile } from '../../src/protocol/profile.ts';
import { repositoryUrl } from '../fixtures.ts';

/** How to start the source, by variant; the one without a name is the usual way. */
export type Commands = { readonly usual: string } & Readonly<Record<string, string>>;

const RAM_BYTES = 4 * 2 ** 20;
const RECORDING = fileURLToPath(repositoryUrl('test/fixtures/captures/b1-postcopy-4k-none'));
const PROGRAM = fileURLToPath(new URL('../../src/cli/postcopy.js', import.meta.url));

/** RAM of our source. The devices are recorded ones, for then it tells the hash of its RAM. */
export const OWN_BLOCKS: readonly LayoutBlock[] = [
  { name: 'ram0', lengthBytes: RAM_BYTES, hostPageBytes: 4096 },
];

/** Commands for our own source, whose guest writes all the time. */
export function ownSource(profile: Profile): Commands {
  const source = `'${process.execPath}' '${PROGRAM}' source --migrate {uri} --json --profile ${profile} --timeout 8000 --warm-up 20`;
  const guest = `-M none --smp 1 --rate 40000 --device-state '${RECORDING}'`;
  const slow = '--downtime-limit 0 --max-bandwidth 16M --max-postcopy-bandwidth 4M';
  const ram = (page: string): string => `--block ram0=${RAM_BYTES}@${page}`;
  return {
    usual: `${source} ${guest} ${slow} ${ram('4K')}`,
    precopy: `${source} ${guest} --postcopy-after never ${ram('4K')}`,
    huge: `${source} ${guest} ${slow} ${ram('64K')}`,
    preempt: `${source} ${guest} ${slow} ${ram('64K')} --postcopy-preempt`,
    hash: `${source} ${guest} ${slow} ${ram('64K')} --mmu hash --guest-page 64K`,
  };
}

/** Runs the rules of a source, and returns what came of them by their ids. */
export async function runSourceSuite(
  t: Test,
  options: {
    readonly commands: Commands;
    readonly profile: Profile;
    readonly blocks: readonly LayoutBlock[];
    readonly timeoutMs: number;
    /** Ids of the rules to run; all if left out. */
    readonly only?: readonly string[];
  },
): Promise<Map<string, RuleResult>> {
  const { commands, profile, blocks, timeoutMs, only } = options;
  const { usual, ...variants } = commands;
  const peers = spawnedPeers(usual, new Map(Object.entries(variants)), 'unix');
  const results = new Map<string, RuleResult>();
  const abort = new AbortController();
  t.teardown(() => abort.abort());
  for await (const result of runSuite({
    subject: {
      role: 'source',
      profile,
      machine: 'none',
      blocks,
      recorded: undefined,
      requests: false,
      timeoutMs,
      hasVariant: (variant) => peers.hasVariant(variant),
    },
    peers,
    rules: rulesOf('source').filter(({ id }) => only?.includes(id) !== false),
    jobs: 2,
    signal: abort.signal,
  })) {
    results.set(result.rule.id, result);
  }
  return results;
}

/** Every rule is passed but those that are told, and every check of those was run that nothing stood in the way of. */
export function checkResults(
  t: Test,
  results: ReadonlyMap<string, RuleResult>,
  expected: {
    readonly notRun: readonly string[];
    readonly unobservable: readonly string[];
    /** Reasons for which checks are not run. */
    readonly obstacles: readonly RegExp[];
  },
): void {
  const byVerdict = (verdict: string): string[] =>
    [...results.values()].filter((result) => result.verdict === verdict).map(({ rule }) => rule.id);
  for (const id of byVerdict('failed')) {
    for (const { what, finding } of results.get(id)!.checks) {
      if (finding.verdict === 'failed')
        t.fail(`${id}, ${what}: expected ${finding.expected}, seen ${finding.seen}`);
    }
  }
  t.strictSame(byVerdict('not-run'), expected.notRun, 'rules that are not run');
  t.strictSame(byVerdict('unobservable'), expected.unobservable, 'rules that cannot be observed');
  const unexplained = [...results.values()].flatMap(({ rule, checks }) =>
    checks.flatMap(({ what, finding }) => {
      if (finding.verdict !== 'not-run') return [];
      const isKnown = expected.obstacles.some((obstacle) => obstacle.test(finding.why));
      return isKnown ? [] : [`${rule.id}, ${what}: ${finding.why}`];
    }),
  );
  t.strictSame(unexplained, [], 'every check was run but for known reasons');
  t.ok(byVerdict('passed').length > 0);
}
