// The rules of what a source sends up to the package and behind it: S1 to S19, S32, S33.

import { largerPageOf, negotiating } from './negotiation-judges.ts';
import type { CheckedRule, Rule } from './rule.ts';
import { LARGER_PAGES } from './scripts-negotiation.ts';
import { HUGE, POSTCOPY_RUNS, RANDOM } from './scripts-whole.ts';
import { endsInOrder } from './source-ending-judges.ts';
import { inPostcopy, look, lookAtAll, type SourceJudge } from './source-findings.ts';
import {
  discardsInTime,
  endsPayloads,
  keeps,
  keepsInPostcopy,
  sameRam,
  sendsNone,
} from './source-page-judges.ts';
import {
  advisesFirst,
  advisesKnownPages,
  advisesPages,
  beginsInOrder,
  hasFooters,
  listAddsUp,
  listsLargePages,
  listsPageSizes,
} from './source-setup-judges.ts';

/** Runs with pages of all sizes that the peer can be given. */
const ALL_RUNS = [...POSTCOPY_RUNS, HUGE, LARGER_PAGES];

function rule(id: string, sentence: string, checks: CheckedRule['checks']): Rule {
  return { id, sentence, role: 'source', checks };
}

/** A rule that every run by postcopy shows. */
function always(id: string, sentence: string, judge: SourceJudge): Rule {
  return rule(id, sentence, lookAtAll(ALL_RUNS, judge));
}

/** The same, of what comes after the switchover. */
function alwaysInPostcopy(id: string, sentence: string, judge: SourceJudge): Rule {
  return always(id, sentence, inPostcopy(judge));
}

const ALIGNED = ['D38', 'D39', 'D40', 'D41'];

/** S1 to S19, S32 and S33. */
export const SOURCE_STREAM_RULES: readonly Rule[] = [
  always(
    'S1',
    'The source sends header, CONFIGURATION, OPEN_RETURN_PATH, a PING, ADVISE and the START sections in this order.',
    beginsInOrder,
  ),
  always('S2', 'Every section ends with a footer that has its id.', hasFooters),
  rule(
    'S3',
    "ADVISE's summary is the OR of the page sizes of all blocks that are migrated, and its second field the target page.",
    [...lookAtAll(POSTCOPY_RUNS, advisesKnownPages), ...lookAtAll([HUGE, LARGER_PAGES], advisesPages)],
  ),
  always('S4', 'ADVISE comes before the START of ram, whose layout depends on it.', advisesFirst),
  always('S5', 'The total of the RAM list is the sum of its lengths.', listAddsUp),
  rule('S6', 'A block carries its page size in the RAM list if and only if that is not the default one.', [
    ...lookAtAll(
      [RANDOM],
      listsPageSizes((block, { blocks }) => blocks.find(({ name }) => name === block)?.hostPageBytes),
    ),
    look(HUGE, listsLargePages),
    look(LARGER_PAGES, negotiating(listsPageSizes(largerPageOf))),
  ]),
  always(
    'S7',
    'The first page on a channel, and the first one after the discards, names its block.',
    keepsInPostcopy('the name', ['S7'], ['no-block-named']),
  ),
  always('S8', 'Every payload of ram ends with EOS.', endsPayloads),
  always('S9', 'A ZERO record has the fill byte 0.', keeps('0', ['S9'])),
  always(
    'S10',
    'Pages of postcopy are not sent by XBZRLE, compression or multifd.',
    sendsNone(['XBZRLE', 'COMPRESS_PAGE', 'HOOK']),
  ),
  rule('S11', 'Dirty state is rounded to whole host pages before it is discarded.', [
    look(HUGE, keepsInPostcopy('whole host pages', ALIGNED)),
    look(LARGER_PAGES, negotiating(keepsInPostcopy('whole host pages', ALIGNED))),
  ]),
  rule(
    'S12',
    'Every page that is dirty at the switchover is discarded, also one that was never sent, in whole host pages within its block.',
    [
      ...lookAtAll(ALL_RUNS, keepsInPostcopy('all that is dirty', ['S12', ...ALIGNED])),
      ...lookAtAll(ALL_RUNS, inPostcopy(sameRam), 'RAM at the end'),
    ],
  ),
  always(
    'S13',
    'A DISCARD has at least one range, and should have 12 at most.',
    keepsInPostcopy('1 to 12 ranges', ['S13'], ['bad-discard']),
  ),
  alwaysInPostcopy(
    'S14',
    'Discards come behind the last page of precopy and before the package.',
    discardsInTime,
  ),
  always(
    'S15',
    'The package begins with LISTEN, ends with RUN, and holds device sections and PINGs in between.',
    keepsInPostcopy('LISTEN, devices, PING, RUN', ['S15'], ['truncated']),
  ),
  {
    id: 'S16',
    sentence: 'A package of more than 2^32-1 bytes is not sent.',
    role: 'source',
    unobservable: 'it would take a source with more than 4 GiB of device state',
  },
  always(
    'S17',
    'Behind the package come only PING, PART and END of postcopiable sections, EOF, and commands of a recovery.',
    keepsInPostcopy(
      'nothing else',
      ['S17'],
      ['unknown-command', 'unknown-section-type', 'unknown-section-id'],
    ),
  ),
  always(
    'S18',
    'A host page is sent once in postcopy, complete, contiguous, and on one channel.',
    keepsInPostcopy('each once and whole', ['S18', 'S42', 'D79', 'D70', 'D71']),
  ),
  always(
    'S19',
    'A page that was sent before and not discarded is not sent in postcopy.',
    keepsInPostcopy('none', ['S19']),
  ),
  alwaysInPostcopy('S32', 'Postcopy ends with END of ram, EOF, and nothing behind it.', endsInOrder),
  always(
    'S33',
    'END and EOF are sent only when no dirty page is left.',
    keepsInPostcopy('no page missing at EOF', ['S33', 'S12']),
  ),
];
