// The rules of what a source makes of the return path, and of its end: S20 to S31, S34 to S39.
import { asksForBitmaps, sendsWhatIsMissing, staysPaused, waitsForAck } from './recovery-judges.ts';
import type { CheckedRule, Rule } from './rule.ts';
import * as bad from './scripts-bad.ts';
import { ACK_2, BITMAP_SHORT, BITMAP_UNMARKED, RECOVERY } from './scripts-recovery.ts';
import {
  ASCENDING,
  BURST,
  CLEAN,
  DESCENDING,
  NO_REQUEST,
  PONGS_LATE,
  RANDOM,
  REPEATED,
  RESUME_ACK_EARLY,
} from './scripts-whole.ts';
import { waitsForShut } from './source-ending-judges.ts';
import { completes, inPostcopy, look, lookAtAll } from './source-findings.ts';
import { failsAtShut, leavesInPostcopy, needsShut, pauses } from './source-leaving-judges.ts';
import { ignoresCleanRequests, servesRequestsFirst } from './source-page-judges.ts';

function rule(id: string, sentence: string, checks: CheckedRule['checks']): Rule {
  return { id, sentence, role: 'source', checks };
}

/** S20 to S31, S34 to S39. */
export const SOURCE_RETURN_PATH_RULES: readonly Rule[] = [
  rule(
    'S20',
    'Queued requests are served before background pages, and without regard to the bandwidth limit.',
    lookAtAll([ASCENDING, DESCENDING, RANDOM, BURST], inPostcopy(servesRequestsFirst)),
  ),
  rule(
    'S21',
    'A request for a page that is clean is ignored without a word.',
    lookAtAll([CLEAN, REPEATED], inPostcopy(ignoresCleanRequests)),
  ),
  rule('S22', 'A request whose start or length is not a multiple of 4 KiB makes the return path bad.', [
    look(bad.UNALIGNED_START, leavesInPostcopy),
    look(bad.UNALIGNED_LENGTH, leavesInPostcopy),
  ]),
  rule('S23', 'REQ_PAGES before any REQ_PAGES_ID makes the return path bad.', [
    look(bad.UNNAMED, leavesInPostcopy),
  ]),
  rule('S24', 'A request for an unknown block makes the return path bad.', [
    look(bad.UNKNOWN_BLOCK, leavesInPostcopy),
  ]),
  rule('S25', 'A request beyond the used length of its block makes the return path bad.', [
    look(bad.OVERRUN, leavesInPostcopy),
  ]),
  rule('S26', 'REQ_PAGES_ID whose length is not 13 and that of its name makes the return path bad.', [
    look(bad.NAME_TOO_LONG, leavesInPostcopy),
    look(bad.NAME_TOO_SHORT, leavesInPostcopy),
  ]),
  rule('S27', 'A return-path message of type 0 or an unknown type makes the return path bad.', [
    look(bad.TYPE_ZERO, leavesInPostcopy),
    look(bad.TYPE_UNKNOWN, leavesInPostcopy),
    { ...look(bad.SWITCHOVER_ACK, leavesInPostcopy), profiles: ['7.2', 'strict'] },
  ]),
  rule(
    'S28',
    'A return-path message with another length than its fixed one, or of more than 512 bytes, makes the return path bad.',
    [look(bad.WRONG_LENGTH, leavesInPostcopy), look(bad.TOO_LONG, leavesInPostcopy)],
  ),
  rule('S29', 'SHUT with a value other than 0 is a failure, or a pause while in postcopy.', [
    look(bad.SHUT_1, failsAtShut),
    look(bad.SHUT_1_AT_EOF, failsAtShut),
  ]),
  rule(
    'S30',
    'A bad return path in postcopy leads to postcopy-paused, and never to the guest going on at the source.',
    lookAtAll(bad.BAD_MESSAGES, pauses),
  ),
  rule('S31', 'The source does not rely on the order of PONGs.', [look(PONGS_LATE, inPostcopy(completes))]),
  rule('S34', 'After EOF the source keeps the connection open and waits for SHUT.', [
    look(NO_REQUEST, inPostcopy(waitsForShut)),
    look(bad.CUT_AT_EOF, inPostcopy(needsShut)),
  ]),
  rule(
    'S35',
    'A connection that breaks in postcopy leads to postcopy-paused, and every page that was not received is kept.',
    [look(bad.CUT_IN_POSTCOPY, pauses), look(RECOVERY, sendsWhatIsMissing)],
  ),
  rule(
    'S36',
    'To resume, the source connects without a header, asks for the received bitmap of every block, takes as dirty what was not received, sends RESUME, and waits for RESUME_ACK before it sends a page.',
    [
      look(RECOVERY, asksForBitmaps, 'the bitmaps that it asks for'),
      look(RECOVERY, waitsForAck, 'what it does before RESUME_ACK'),
      look(RECOVERY, sendsWhatIsMissing, 'the pages that it sends then'),
    ],
  ),
  rule(
    'S37',
    'A received bitmap of a wrong size or without its end mark is refused, and the source stays paused.',
    [look(BITMAP_SHORT, staysPaused), look(BITMAP_UNMARKED, staysPaused)],
  ),
  rule(
    'S38',
    'RESUME_ACK with a value other than 1 makes the return path bad; an unexpected one has no effect.',
    [
      look(bad.RESUME_ACK_2, leavesInPostcopy),
      look(RESUME_ACK_EARLY, inPostcopy(completes)),
      look(ACK_2, staysPaused),
    ],
  ),
  rule('S39', 'A received bitmap outside of a recovery makes the return path bad.', [
    look(bad.BITMAP_UNASKED, leavesInPostcopy),
  ]),
];
