// Short ways to write down the rules of the destination.

import { type Edit, edited } from './destination-scripts.ts';
import { completes, type Expectation, expects, type Refusal, refuses } from './expectations.ts';
import type { Check, CheckedRule, UnobservableRule } from './rule.ts';
import type { Scenario } from './scenario.ts';

type CheckExtras = Pick<Check, 'profiles' | 'obstacle'> & { readonly variant?: string };

/** A rule of the destination. */
export function destinationRule(id: string, sentence: string, ...checks: readonly Check[]): CheckedRule {
  return { id, sentence, role: 'destination', checks };
}

/** A rule of the destination that cannot be observed. */
export function hiddenRule(id: string, sentence: string, unobservable: string): UnobservableRule {
  return { id, sentence, role: 'destination', unobservable };
}

/** A check of a scenario. */
export function look(
  what: string,
  scenario: Scenario,
  expectations: readonly Expectation[],
  extras: Pick<Check, 'profiles' | 'obstacle'> = {},
): Check {
  return { what, scenario, judge: expects(...expectations), ...extras };
}

/** What is to be refused: the scenario is an honest source but for `edit`. */
export function refused(what: string, refusal: Refusal, edit: Edit, extras: CheckExtras = {}): Check {
  const { variant, ...rest } = extras;
  return look(what, edited(what, edit, variant === undefined ? {} : { variant }), [refuses(refusal)], rest);
}

/** What is to be taken: the same, and the migration completes, as well as what else is expected. */
export function accepted(
  what: string,
  edit: Edit,
  expectations: readonly Expectation[] = [],
  extras: CheckExtras = {},
): Check {
  const { variant, ...rest } = extras;
  const scenario = edited(what, edit, variant === undefined ? {} : { variant });
  return look(what, scenario, [completes(), ...expectations], rest);
}
