// Writes the results of a suite as TAP 14.
import { printable } from '../protocol/printable.ts';
import { shortExchange } from './exchange-lines.ts';
import type { Report, SuitePlan, SuiteSummary } from './report.ts';
import type { CheckResult, RuleResult } from './rule.ts';

/** TAP for machines that can be read by people: a failed rule shows the exchange. */
export class TapReport implements Report {
  readonly #write: (text: string) => void;
  #plan: SuitePlan | undefined;
  #number = 0;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  begin(plan: SuitePlan): void {
    this.#plan = plan;
    const { subject } = plan;
    this.#lines([
      'TAP version 14',
      `# ${subject.role}, profile ${subject.profile}: ${plain(plan.peer)}`,
      `1..${plan.ruleCount}`,
    ]);
  }

  result({ rule, verdict, reason, checks }: RuleResult): void {
    this.#number += 1;
    const skip = reason === undefined ? '' : ` # SKIP ${verdict}: ${plain(reason)}`;
    this.#lines([
      `${verdict === 'failed' ? 'not ok' : 'ok'} ${this.#number} - ${rule.id} ${plain(rule.sentence)}${skip}`,
      ...(verdict === 'failed' ? this.#diagnostics(checks) : []),
      ...(verdict === 'not-run' ? [] : missingLines(checks)),
    ]);
  }

  end({ counts, elapsedMs }: SuiteSummary): void {
    const parts = Object.entries(counts).map(([verdict, count]) => `${count} ${verdict}`);
    this.#lines([`# ${parts.join(', ')} in ${(elapsedMs / 1000).toFixed(1)} s`]);
  }

  #diagnostics(checks: readonly CheckResult[]): string[] {
    const lines = checks.flatMap(({ what, finding, exchange }) => {
      if (finding.verdict !== 'failed') return [];
      const { profile } = this.#plan!.subject;
      const exchanged = exchange === undefined ? [] : shortExchange(exchange, profile);
      return [
        `- check: ${quoted(what)}`,
        `  expected: ${quoted(finding.expected)}`,
        `  seen: ${quoted(finding.seen)}`,
        // The indentation is told: a first line that stands further to the right would be taken for it.
        ...(exchanged.length === 0
          ? []
          : ['  exchange: |2', ...exchanged.map((line) => `    ${printable(line)}`)]),
      ];
    });
    return ['  ---', '  checks:', ...lines.map((line) => `    ${line}`), '  ...'];
  }

  #lines(lines: readonly string[]): void {
    this.#write(`${lines.join('\n')}\n`);
  }
}

/** Checks that were not run, of a rule of which others were. */
function missingLines(checks: readonly CheckResult[]): string[] {
  return checks.flatMap(({ what, finding }) =>
    finding.verdict === 'not-run' ? [`# not run: ${plain(what)}: ${plain(finding.why)}`] : [],
  );
}

/** `#` begins a directive, and a backslash escapes. */
function plain(text: string): string {
  return printable(text.replaceAll(/\s+/g, ' ')).replaceAll(/[\\#]/g, '\\$&');
}

/** A scalar of YAML, which takes JSON but no control character that JSON lets through. */
function quoted(text: string): string {
  return JSON.stringify(text.split('\n').map(printable).join('\n'));
}
