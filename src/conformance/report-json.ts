// Writes the results of a suite as one JSON object: docs/conform.schema.json.
import { shortExchange } from './exchange-lines.ts';
import { exchangedBytes } from './exchange-rows.ts';
import type { Report, SuitePlan, SuiteSummary } from './report.ts';
import type { CheckResult, RuleResult } from './rule.ts';

/** One JSON object, when all has been run. */
export class JsonReport implements Report {
  readonly #write: (text: string) => void;
  readonly #rules: object[] = [];
  #plan: SuitePlan | undefined;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  begin(plan: SuitePlan): void {
    this.#plan = plan;
  }

  result({ rule, verdict, reason, checks }: RuleResult): void {
    this.#rules.push({
      id: rule.id,
      sentence: rule.sentence,
      verdict,
      ...(reason === undefined ? {} : { reason }),
      checks: checks.map((check) => this.#check(check)),
    });
  }

  end({ counts, elapsedMs }: SuiteSummary): void {
    const { subject, peer, startedAt } = this.#plan!;
    const { role, profile, machine, blocks, recorded } = subject;
    const report = {
      startedAt,
      elapsedMs: Math.round(elapsedMs),
      role,
      profile,
      peer,
      machine,
      blocks: blocks.map(({ name, lengthBytes, hostPageBytes }) => ({ name, lengthBytes, hostPageBytes })),
      hasDeviceState: recorded !== undefined,
      counts,
      rules: this.#rules,
    };
    this.#write(`${JSON.stringify(report, undefined, 2)}\n`);
  }

  #check({ what, scenario, finding, exchange }: CheckResult): object {
    return {
      what,
      scenario,
      ...finding,
      ...(exchange === undefined ? {} : { wireBytes: exchangedBytes(exchange) }),
      // What shows a failure; the page for people has the others, too.
      ...(finding.verdict !== 'failed' || exchange === undefined
        ? {}
        : { exchange: shortExchange(exchange, this.#plan!.subject.profile) }),
    };
  }
}
