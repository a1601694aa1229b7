// What a report of a suite is made from, whatever form it has.
import type { RuleResult, Verdict } from './rule.ts';
import type { Subject } from './subject.ts';

/**
 * Takes the results of a suite, one by one, in the order of the rules.
 *
 * Forms plug in here: one file each, `report-tap.ts`, `report-json.ts`, `report-junit.ts`, `report-html.ts`, with a
 * class or function that makes a `Report`; the command (src/cli/conform-command.ts) opens those that were asked for
 * and gives each every result. What passed between suite and peer is `CheckResult.exchange`; `exchangeLines` dissects
 * it. A report that keeps exchanges keeps all bytes of each run, so write or shorten them in `result`.
 */
export interface Report {
  begin(plan: SuitePlan): void;
  result(result: RuleResult): void;
  end(summary: SuiteSummary): void;
}

/** What is about to be run. */
export interface SuitePlan {
  readonly subject: Subject;
  /** How the peer is reached, as the command line says it. */
  readonly peer: string;
  readonly ruleCount: number;
  /** ISO 8601. */
  readonly startedAt: string;
}

/** What came of all rules. */
export interface SuiteSummary {
  readonly counts: Readonly<Record<Verdict, number>>;
  readonly elapsedMs: number;
}

/** Counts verdicts. */
export function countVerdicts(results: readonly { readonly verdict: Verdict }[]): SuiteSummary['counts'] {
  const counts: Record<Verdict, number> = { passed: 0, failed: 0, 'not-run': 0, unobservable: 0 };
  for (const { verdict } of results) counts[verdict] += 1;
  return counts;
}
