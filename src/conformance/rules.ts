// All rules in one place, by role and number.
import { ADVISE_RULES } from './destination-rules-advise.ts';
import { COMMAND_RULES } from './destination-rules-commands.ts';
import { DISCARD_RULES } from './destination-rules-discard.ts';
import { FRAMING_RULES } from './destination-rules-framing.ts';
import { PACKAGE_RULES } from './destination-rules-package.ts';
import { POSTCOPY_RULES } from './destination-rules-postcopy.ts';
import { PAGE_RECORD_RULES } from './destination-rules-precopy.ts';
import { PREEMPT_RULES } from './destination-rules-preempt.ts';
import { RAM_LIST_RULES } from './destination-rules-ram.ts';
import { RETURN_PATH_RULES } from './destination-rules-return-path.ts';
import { NEGOTIATION_RULES } from './negotiation-rules.ts';
import type { Role, Rule } from './rule.ts';
import { SOURCE_RETURN_PATH_RULES } from './source-rules-return-path.ts';
import { SOURCE_STREAM_RULES } from './source-rules-stream.ts';
import { SOURCE_VARIANT_RULES } from './source-rules-variants.ts';

/** The number in a rule's id. */
function numberOf({ id }: Rule): number {
  return Number(id.slice(1));
}

/** Every rule: those of the format (D, S) and of the negotiation (N). */
export const RULES: readonly Rule[] = [
  ...FRAMING_RULES,
  ...COMMAND_RULES,
  ...ADVISE_RULES,
  ...DISCARD_RULES,
  ...PACKAGE_RULES,
  ...RAM_LIST_RULES,
  ...PAGE_RECORD_RULES,
  ...POSTCOPY_RULES,
  ...RETURN_PATH_RULES,
  ...PREEMPT_RULES,
  ...SOURCE_STREAM_RULES,
  ...SOURCE_RETURN_PATH_RULES,
  ...SOURCE_VARIANT_RULES,
  ...NEGOTIATION_RULES,
].sort((a, b) => a.id.charCodeAt(0) - b.id.charCodeAt(0) || numberOf(a) - numberOf(b));

/** The rules that bind one role. */
export function rulesOf(role: Role): readonly Rule[] {
  return RULES.flatMap((rule) => {
    if (rule.role !== role && rule.role !== 'both') return [];
    if (rule.role === role || 'unobservable' in rule) return [rule];
    const checks = rule.checks.filter((check) => check.role === role);
    return checks.length === 0 ? [] : [{ ...rule, checks }];
  });
}
