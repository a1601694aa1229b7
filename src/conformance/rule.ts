// What a conformance rule is: data about itself, and the checks that can show whether a peer keeps it.
import type { Profile } from '../protocol/profile.ts';
import type { Exchange } from './exchange.ts';
import type { Run, Scenario } from './scenario.ts';
import type { Subject } from './subject.ts';

/** Whom a rule binds. */
export type Role = 'destination' | 'source';

/** What one look at a run came to. `expected` and `seen` are for people: one clause each, without a full stop. */
export type Finding =
  | { readonly verdict: 'passed'; readonly expected: string; readonly seen: string }
  | { readonly verdict: 'failed'; readonly expected: string; readonly seen: string }
  | { readonly verdict: 'not-run'; readonly why: string };

/** One way to see a rule kept or broken: a scenario that is performed with the peer, and a look at what came of it. */
export interface Check {
  /** What is done to the peer, or looked at: `a footer with the id of another section`. */
  readonly what: string;
  /** Profiles in which this is expected; all of the rule's without it. */
  readonly profiles?: readonly Profile[];
  /** Whom it tests, where the rule binds both. */
  readonly role?: Role;
  /** The scenario. Checks that name the same one share its run. */
  readonly scenario: Scenario;
  /** Why it cannot be done with this peer; undefined if it can. */
  readonly obstacle?: (subject: Subject) => string | undefined;
  readonly judge: (run: Run, subject: Subject) => Finding;
}

/** What every rule tells of itself. */
interface RuleHead {
  /** Such as `D39`; `N2` and its like are those of host page negotiation (docs/protocol.md, section 8). */
  readonly id: string;
  /** The rule in one sentence. */
  readonly sentence: string;
  /** The rules of host page negotiation bind both: their checks say whom they test. */
  readonly role: Role | 'both';
  /** Profiles that it holds in; all without it. */
  readonly profiles?: readonly Profile[];
}

/** A rule that can be checked. It is passed if at least one check was run and none failed. */
export interface CheckedRule extends RuleHead {
  readonly checks: readonly Check[];
}

/** A rule that nobody can see kept or broken from outside, and why. */
export interface UnobservableRule extends RuleHead {
  readonly unobservable: string;
}

/** A rule. */
export type Rule = CheckedRule | UnobservableRule;

/** What came of a rule. */
export type Verdict = 'passed' | 'failed' | 'not-run' | 'unobservable';

/** What came of a check. */
export interface CheckResult {
  readonly what: string;
  /** Name of the scenario. */
  readonly scenario: string;
  readonly finding: Finding;
  /** What passed between suite and peer; undefined if nothing did. */
  readonly exchange: Exchange | undefined;
}

/** What came of a rule. */
export interface RuleResult {
  readonly rule: Rule;
  readonly verdict: Verdict;
  /** Why it was not run, or cannot be observed. */
  readonly reason: string | undefined;
  readonly checks: readonly CheckResult[];
}
