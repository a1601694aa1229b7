// The rules of host page negotiation, which bind both ends: N1 to N14 of docs/protocol.md.
import { DESTINATION_NEGOTIATION_CHECKS } from './destination-checks-negotiation.ts';
import type { Check, Role, Rule } from './rule.ts';
import { SOURCE_NEGOTIATION_CHECKS } from './source-checks-negotiation.ts';

const SENTENCES: Readonly<Record<string, string>> = {
  N1: 'A source that can negotiate sends PING "HPS1" directly behind OPEN_RETURN_PATH, and waits for its PONG before it sends anything else.',
  N2: 'A destination that knows the value sends its HOST_PAGE messages before that PONG.',
  N3: 'HOST_PAGE tells the host page and the placement page of a block in bytes.',
  N4: 'The default comes first, each name once at most, and one that the source does not have is ignored.',
  N5: 'HOST_PAGE is not sent unless it was asked for, nor after the PONG, and its length is 17 and that of the name.',
  N6: "No HOST_PAGE before the PONG means a peer without the extension: the source's own host pages hold.",
  N7: 'A placement page is a power of two, at least the target page, at most the host page, and divides the length of its block; else the source refuses.',
  N8: 'For a guest on the hash MMU the source refuses a host page behind system RAM that is smaller than the largest page of the guest.',
  N9: 'The source decides before ADVISE; a refusal names block, sizes and rule, and the guest goes on at the source.',
  N10: 'What the rules of the stream say of host pages holds for placement pages.',
  N11: "The source's own host page does not matter on the wire.",
  N12: 'Who negotiated says why before it leaves on an error, and never to a peer without the extension.',
  N13: 'A reason is at most 500 bytes of UTF-8; another is an error.',
  N14: 'Nothing follows a REASON; one that comes before the PONG of the package is from a destination that never ran the guest.',
};

function checksOf(role: Role, checks: readonly Check[] = []): Check[] {
  return checks.map((check) => ({ ...check, role }));
}

/** N1 to N14. */
export const NEGOTIATION_RULES: readonly Rule[] = Object.entries(SENTENCES).map(([id, sentence]) => ({
  id,
  sentence,
  role: 'both',
  checks: [
    ...checksOf('source', SOURCE_NEGOTIATION_CHECKS[id]),
    ...checksOf('destination', DESTINATION_NEGOTIATION_CHECKS[id]),
  ],
}));
