// Our own destination keeps every rule that can be observed in the profile strict, and those that 7.2 has otherwise.
import t from 'tap';
import { shortExchange } from '../../src/conformance/exchange-lines.ts';
import type { Rule } from '../../src/conformance/rule.ts';
import { rulesOf } from '../../src/conformance/rules.ts';
import { runSuite } from '../../src/conformance/run-suite.ts';
import { ownDestination, ownDestinations } from './own-destination.ts';

const JOBS = 3;

/** Rules that are of another profile, or need a peer that ours cannot be: without postcopy. */
const NOT_RUN = { strict: ['D26', 'D32', 'D104'], '7.2': [] } as const;

/** What a 7.2 does otherwise; the whole suite in that profile is in docs/conformance. */
function isOwnTo72(rule: Rule): boolean {
  return 'checks' in rule && rule.checks.some(({ profiles }) => profiles?.includes('7.2') === true);
}

for (const profile of ['strict', '7.2'] as const) {
  t.test(profile, { timeout: 240_000 }, async (t) => {
    const { signal } = new AbortController();
    const notRun: string[] = [];
    for await (const { rule, verdict, checks } of runSuite({
      subject: ownDestination(profile),
      peers: ownDestinations(profile),
      rules: rulesOf('destination').filter((rule) => profile === 'strict' || isOwnTo72(rule)),
      jobs: JOBS,
      signal,
    })) {
      if (verdict === 'not-run') notRun.push(rule.id);
      for (const { what, finding, exchange } of checks) {
        if (finding.verdict !== 'failed') continue;
        t.fail(`${rule.id}: ${what}`, {
          expected: finding.expected,
          seen: finding.seen,
          exchange: exchange && shortExchange(exchange, profile),
        });
      }
      t.not(verdict, 'failed', rule.id);
    }
    t.strictSame(notRun, NOT_RUN[profile]);
  });
}
