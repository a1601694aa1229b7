// How a source shows that it keeps the rules of host page negotiation (docs/protocol.md, section 8).
import {
  endsWithReason,
  guestGoesOn,
  guestStays,
  largerPageOf,
  negotiating,
  placesInLargerPages,
  placesInSmallerPages,
  refuses,
  refusesByName,
  saysNothingNew,
  saysWhy,
  waitsForAnswer,
} from './negotiation-judges.ts';
import type { Check } from './rule.ts';
import * as script from './scripts-negotiation.ts';
import { LEGACY_NEGOTIATION } from './scripts-whole.ts';
import { completes, look, lookAtAll } from './source-findings.ts';
import { leaves } from './source-leaving-judges.ts';
import { listsPageSizes } from './source-setup-judges.ts';

const leavesNegotiated = negotiating(leaves);
const completesNegotiated = negotiating(completes);
const names = refusesByName((subject) => script.namedBlock(subject).name);

/** Checks of a source by the id of the rule. */
export const SOURCE_NEGOTIATION_CHECKS: Readonly<Record<string, readonly Check[]>> = {
  N1: [look(script.SAME_PAGES, waitsForAnswer)],
  N4: [
    look(script.DEFAULT_NOT_FIRST, refuses),
    look(script.NAMED_TWICE, refuses),
    look(script.UNKNOWN_NAME, completesNegotiated),
  ],
  N5: [look(script.HOST_PAGE_LATE, leavesNegotiated), look(script.HOST_PAGE_LONG, leavesNegotiated)],
  N6: [
    look(LEGACY_NEGOTIATION, completesNegotiated),
    look(
      LEGACY_NEGOTIATION,
      negotiating(
        listsPageSizes((block, { blocks }) => blocks.find(({ name }) => name === block)?.hostPageBytes),
      ),
      'page sizes of its own towards a destination that does not answer',
    ),
  ],
  N7: lookAtAll(script.REFUSALS, refuses),
  N8: [look(script.HASH_GUEST, refuses)],
  N9: [...lookAtAll(script.REFUSALS, names)],
  N10: [
    look(script.LARGER_PAGES, negotiating(listsPageSizes(largerPageOf)), 'the RAM list for larger pages'),
    look(script.LARGER_PAGES, placesInLargerPages),
    look(script.SMALLER_PLACEMENT, placesInSmallerPages),
  ],
  N11: [
    look(script.LARGER_PAGES, completesNegotiated),
    look(script.SMALLER_PLACEMENT, completesNegotiated),
    look(script.SAME_PAGES, completesNegotiated),
  ],
  N12: [
    look(script.BAD_WHEN_NEGOTIATED, saysWhy),
    look(script.REASON_TOO_LONG, saysWhy),
    look(LEGACY_NEGOTIATION, saysNothingNew, 'a destination that does not answer'),
    look(script.LEGACY_BAD, saysNothingNew),
  ],
  N13: [look(script.REASON_TOO_LONG, leavesNegotiated), look(script.REASON_NO_UTF8, leavesNegotiated)],
  N14: [
    ...lookAtAll([script.NO_DIVISOR, script.BAD_WHEN_NEGOTIATED], endsWithReason),
    look(script.REASON_BEFORE_RUN, guestGoesOn),
    look(script.REASON_AFTER_RUN, guestStays),
  ],
};
