// What runs of a source come to: the looks at a view that many rules share.
import type { Check, Finding } from './rule.ts';
import type { Run, Scenario } from './scenario.ts';
import { firstFromSource, type SourceView, viewOf } from './source-view.ts';
import type { Subject } from './subject.ts';

/** Looks at the view of a run. */
export type SourceJudge = (view: SourceView, run: Run, subject: Subject) => Finding;

export function passed(expected: string, seen: string): Finding {
  return { verdict: 'passed', expected, seen };
}

export function failed(expected: string, seen: string): Finding {
  return { verdict: 'failed', expected, seen };
}

export function notRun(why: string): Finding {
  return { verdict: 'not-run', why };
}

/** `fault` is what was seen against the rule, if anything was; else `seen` tells what was looked at. */
export function faultless(expected: string, fault: string | undefined, seen: string): Finding {
  return fault === undefined ? passed(expected, seen) : failed(expected, fault);
}

/** A check of one scenario. */
export function look(scenario: Scenario, judge: SourceJudge, what = scenario.name): Check {
  return {
    what,
    scenario,
    judge: (run, subject) => {
      const view = viewOf(run.exchange, subject.profile);
      if (view.records.length === 0) return notRun(nothingCame(run));
      return judge(view, run, subject);
    },
  };
}

/** The same look at many scenarios. `at` says at what, where a rule looks at the same ones twice. */
export function lookAtAll(scenarios: readonly Scenario[], judge: SourceJudge, at?: string): Check[] {
  return scenarios.map((scenario) => look(scenario, judge, at && `${at}, ${scenario.name}`));
}

function nothingCame({ stalledAt, end }: Run): string {
  const words = end.lastWords === '' ? '' : `: ${end.lastWords}`;
  return `the source sent nothing (${stalledAt ?? `it ended with ${end.exitCode}`})${words}`;
}

/** What the summary has against any of these rules. */
export function anomalyOf({ report }: SourceView, rules: readonly string[]): string | undefined {
  const found = report.anomalies.filter(({ rule }) => rules.includes(rule));
  if (found.length === 0) return undefined;
  return found
    .map(({ expected, count, first }) => {
      const more = count > 1 ? `, and ${count - 1} more` : '';
      return `not that ${expected}: ${first[0]?.found ?? ''}${more}`;
    })
    .join('; ');
}

/** The error of the stream, if it has one of these codes. */
export function errorOf({ error }: SourceView, codes: readonly string[]): string | undefined {
  return error !== undefined && codes.includes(error.code) ? error.message : undefined;
}

/** Why a run by postcopy says nothing: postcopy did not begin. Undefined if it did. */
export function whyNoPostcopy(view: SourceView): string | undefined {
  if (firstFromSource(view, 'POSTCOPY_RUN') >= 0) return undefined;
  if (view.error !== undefined) return `the stream cannot be read up to postcopy: ${view.error.message}`;
  if (firstFromSource(view, 'EOF') >= 0)
    return 'it completed by precopy: give it more RAM, or less bandwidth';
  return 'it did not come to postcopy';
}

/** A judge of runs by postcopy. */
export function inPostcopy(judge: SourceJudge): SourceJudge {
  return (view, run, subject) => {
    const why = whyNoPostcopy(view);
    return why === undefined ? judge(view, run, subject) : notRun(why);
  };
}

/** How the source ended, in words. */
export function endWords({ end, stalledAt }: Run): string {
  if (stalledAt !== undefined && end.status === undefined) return `waited in vain for ${stalledAt}`;
  const exit = end.exitCode === undefined ? 'did not end by itself' : `exit code ${end.exitCode}`;
  return end.status === undefined ? exit : `status ${end.status}, ${exit}`;
}

/** Whether the source came to its end, and told of no failure. */
export function hasCompleted(view: SourceView, { end, stalledAt }: Run): boolean {
  if (stalledAt !== undefined || firstFromSource(view, 'EOF') < 0) return false;
  // Nobody sees a source end that runs elsewhere: that it left in order has to do.
  return end.status === undefined ? (end.exitCode ?? 0) === 0 : end.status === 'completed';
}

/** The source completes. */
export const completes: SourceJudge = (view, run) => {
  const expected = 'it sends all, and completes';
  return hasCompleted(view, run)
    ? passed(expected, endWords(run))
    : failed(expected, whyNotCompleted(view, run));
};

export function whyNotCompleted(view: SourceView, run: Run): string {
  const reason = view.records.findLast(({ dir, name }) => dir === 'fwd' && name === 'REASON');
  const text = reason === undefined ? '' : `: ${String(reason.values['text'])}`;
  return `${endWords(run)}${text}${view.error === undefined ? '' : `: ${view.error.message}`}`;
}
