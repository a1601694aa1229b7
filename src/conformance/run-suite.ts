// Runs the rules against a peer: each scenario once, some at a time, and the results in the order of the rules.
import { MigrationError } from '../errors.ts';
import type { PeerSource } from './peer.ts';
import type { Check, CheckResult, Finding, Rule, RuleResult, Verdict } from './rule.ts';
import { Addresses, runScenario } from './run-scenario.ts';
import { NoRun, type Run, type Scenario } from './scenario.ts';
import type { Subject } from './subject.ts';

/** What to run. */
export interface SuiteOptions {
  readonly subject: Subject;
  readonly peers: PeerSource;
  readonly rules: readonly Rule[];
  /** How many peers run at a time. */
  readonly jobs: number;
  /** Ends the suite: peers are ended, temporary files removed. */
  readonly signal: AbortSignal;
}

/** Lets so many in at a time, in the order in which they came. */
class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async pass<T>(action: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await action();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

type Outcome =
  | { readonly run: Run }
  | {
      readonly missing: string /** The peer did not come up, though it was started for this. */;
      readonly isFault: boolean;
    };

/** A suite while it runs. */
class SuiteRun {
  readonly #options: SuiteOptions;
  readonly #addresses = new Addresses();
  readonly #gate: Gate;
  readonly #outcomes = new Map<Scenario, Promise<Outcome>>();
  /** Why a peer that ran already cannot be had any more. */
  #gone: string | undefined;

  constructor(options: SuiteOptions) {
    this.#options = options;
    // Who connects to a peer that runs already has to do so one after the other.
    this.#gate = new Gate(options.peers.fixedUri === undefined ? options.jobs : 1);
  }

  async *results(): AsyncGenerator<RuleResult, void, void> {
    const { rules, signal } = this.#options;
    const pending = rules.map((rule) => this.#rule(rule));
    for (const result of pending) result.catch(() => undefined); // told where it is awaited
    try {
      for (const result of pending) {
        yield await result;
        if (signal.aborted) throw new MigrationError('cancelled', 'the suite was cancelled');
      }
    } finally {
      await Promise.allSettled(pending);
      this.#addresses.remove();
    }
  }

  async #rule(rule: Rule): Promise<RuleResult> {
    const { subject } = this.#options;
    if ('unobservable' in rule) {
      return { rule, verdict: 'unobservable', reason: rule.unobservable, checks: [] };
    }
    const profiles = rule.profiles;
    if (profiles !== undefined && !profiles.includes(subject.profile)) {
      const reason = `it is a rule of profile ${profiles.join(' and ')}`;
      return { rule, verdict: 'not-run', reason, checks: [] };
    }
    const due = rule.checks.filter((check) => check.profiles?.includes(subject.profile) !== false);
    const checks = await Promise.all(due.map((check) => this.#check(check)));
    return { rule, checks, ...verdictOf(checks) };
  }

  async #check(check: Check): Promise<CheckResult> {
    const { subject } = this.#options;
    const { what, scenario } = check;
    const notRun = (why: string): CheckResult => {
      const finding: Finding = { verdict: 'not-run', why };
      return { what, scenario: scenario.name, finding, exchange: undefined };
    };
    const { variant } = scenario;
    if (variant !== undefined && !subject.hasVariant(variant)) {
      return notRun(`it needs the peer started in another way: --variant ${variant}='COMMAND'`);
    }
    const obstacle = check.obstacle?.(subject);
    if (obstacle !== undefined) return notRun(obstacle);
    const outcome = await this.#outcome(scenario);
    if ('missing' in outcome) {
      if (!outcome.isFault) return notRun(outcome.missing);
      const finding: Finding = { verdict: 'failed', expected: 'a peer that comes up', seen: outcome.missing };
      return { what, scenario: scenario.name, finding, exchange: undefined };
    }
    const finding = check.judge(outcome.run, subject);
    return { what, scenario: scenario.name, finding, exchange: outcome.run.exchange };
  }

  #outcome(scenario: Scenario): Promise<Outcome> {
    const known = this.#outcomes.get(scenario);
    if (known !== undefined) return known;
    const isSpawned = this.#options.peers.fixedUri === undefined;
    const outcome = this.#gate.pass(async (): Promise<Outcome> => {
      if (this.#options.signal.aborted) return { missing: 'the suite was cancelled', isFault: false };
      if (this.#gone !== undefined) return { missing: this.#gone, isFault: false };
      try {
        return { run: await runScenario(scenario, { ...this.#options, addresses: this.#addresses }) };
      } catch (error) {
        if (!(error instanceof NoRun)) throw error;
        // One that runs already, and is gone, does not come back.
        if (this.#options.peers.fixedUri !== undefined) this.#gone = error.message;
        return { missing: error.message, isFault: isSpawned };
      }
    });
    this.#outcomes.set(scenario, outcome);
    return outcome;
  }
}

function verdictOf(checks: readonly CheckResult[]): { verdict: Verdict; reason: string | undefined } {
  if (checks.some(({ finding }) => finding.verdict === 'failed'))
    return { verdict: 'failed', reason: undefined };
  if (checks.some(({ finding }) => finding.verdict === 'passed'))
    return { verdict: 'passed', reason: undefined };
  const reasons = checks.map(({ finding }) => (finding.verdict === 'not-run' ? finding.why : ''));
  return { verdict: 'not-run', reason: [...new Set(reasons)].join('; ') || 'no check for this profile' };
}

/** Results of all rules, each as soon as it and those before it are there. @throws MigrationError `cancelled` */
export function runSuite(options: SuiteOptions): AsyncGenerator<RuleResult, void, void> {
  return new SuiteRun(options).results();
}
