// Writes the results of a suite as JUnit XML, for CI servers.
import { escapeMarkup } from './escape-markup.ts';
import { shortExchange } from './exchange-lines.ts';
import type { Report, SuitePlan, SuiteSummary } from './report.ts';
import type { CheckResult, RuleResult } from './rule.ts';

/** A test case for each rule. What cannot be observed, or was not run, is skipped with its reason. */
export class JunitReport implements Report {
  readonly #write: (text: string) => void;
  readonly #cases: string[] = [];
  #plan: SuitePlan | undefined;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  begin(plan: SuitePlan): void {
    this.#plan = plan;
  }

  result({ rule, verdict, reason, checks }: RuleResult): void {
    const head = attributes({
      classname: `postcopy.conform.${this.#plan!.subject.role}`,
      name: `${rule.id} ${rule.sentence}`,
      time: seconds(Math.max(0, ...checks.map(lastSecond))),
    });
    const skipped =
      verdict === 'not-run' || verdict === 'unobservable'
        ? [`      <skipped${attributes({ message: `${verdict}: ${reason}` })}/>`]
        : [];
    this.#cases.push(`    <testcase${head}>`, ...this.#failure(checks), ...skipped, '    </testcase>');
  }

  end({ counts, elapsedMs }: SuiteSummary): void {
    const { subject, peer, startedAt, ruleCount } = this.#plan!;
    const totals = {
      tests: ruleCount,
      failures: counts.failed,
      errors: 0,
      skipped: counts['not-run'] + counts.unobservable,
      time: seconds(elapsedMs / 1000),
    };
    const name = `${subject.role}, profile ${subject.profile}`;
    const layout = subject.blocks.map((block) => `${block.name}=${block.lengthBytes}:${block.hostPageBytes}`);
    const properties = { peer, profile: subject.profile, machine: subject.machine, blocks: layout.join(',') };
    const lines = [
      '<?xml version="1.0" encoding="UTF-8"?>',
      `<testsuites${attributes({ name: 'postcopy conform', ...omitSkipped(totals) })}>`,
      `  <testsuite${attributes({ name, timestamp: startedAt.replace(/\.\d+Z$/, ''), ...totals })}>`,
      '    <properties>',
      ...Object.entries(properties).map(
        ([key, value]) => `      <property${attributes({ name: key, value })}/>`,
      ),
      '    </properties>',
      ...this.#cases,
      '  </testsuite>',
      '</testsuites>',
    ];
    this.#write(`${lines.join('\n')}\n`);
  }

  /** One element for all checks of the rule that failed: some readers take only one. */
  #failure(checks: readonly CheckResult[]): string[] {
    const failed = checks.flatMap(({ what, finding, exchange }) => {
      if (finding.verdict !== 'failed') return [];
      const shown = exchange === undefined ? [] : shortExchange(exchange, this.#plan!.subject.profile);
      return [{ text: `${what}: expected ${finding.expected}; seen ${finding.seen}`, shown }];
    });
    if (failed.length === 0) return [];
    const head = attributes({ message: failed.map(({ text }) => text).join('\n'), type: 'conformance' });
    const body = failed.map(({ text, shown }) => [text, ...shown].join('\n')).join('\n\n');
    return [`      <failure${head}>${escapeMarkup(body)}</failure>`];
  }
}

/** The outer element has no such attribute. */
function omitSkipped({ skipped: _skipped, ...totals }: Readonly<Record<string, string | number>>) {
  return totals;
}

/** A line break in an attribute would be read as a space. */
function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escapeMarkup(String(value)).replaceAll('\n', '&#10;')}"`)
    .join('');
}

function seconds(count: number): string {
  return count.toFixed(3);
}

function lastSecond({ exchange }: CheckResult): number {
  return Math.max(0, exchange?.pieces.at(-1)?.tSeconds ?? 0, exchange?.endings.at(-1)?.tSeconds ?? 0);
}
