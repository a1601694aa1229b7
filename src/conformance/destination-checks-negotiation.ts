// How a destination keeps the rules of host page negotiation (docs/protocol.md, section 8), by rule.

import { NEGOTIATION_COOKIE } from '../protocol/negotiation-messages.ts';
import { encodeEos } from '../protocol/ram-records.ts';
import { encodeSection } from '../protocol/sections.ts';
import { type Answers, answersOf } from './answers.ts';
import { HONEST } from './destination-rules-framing.ts';
import { edited } from './destination-scripts.ts';
import {
  answersWith,
  completes,
  type Expectation,
  expects,
  expectsNegotiated,
  refuses,
} from './expectations.ts';
import { probe } from './honest-script.ts';
import type { Check } from './rule.ts';
import { before, replace, send } from './script.ts';
import type { Subject } from './subject.ts';

const NEGOTIATES = { negotiates: true, firstPing: NEGOTIATION_COOKIE };

/** The migration that keeps every rule, with the cookie in its first PING. */
const NEGOTIATED = edited('a migration that negotiates host pages', (steps) => steps, NEGOTIATES);

/** A migration that negotiates, and then breaks. */
const BROKEN = edited(
  'a migration that negotiates and then has a footer of another section',
  (steps) =>
    replace(
      before(steps, 'part', ...probe(0x401)),
      'end of part',
      send('end of part', encodeEos(), encodeSection('SECTION_FOOTER', { sectionId: 3 })),
    ),
  NEGOTIATES,
);

interface ToldPages {
  readonly block: string;
  readonly hostPage: number;
  readonly placementPage: number;
}

/** What the HOST_PAGE messages told, in order. */
function toldPages({ all }: Answers): ToldPages[] {
  return all.flatMap(({ record }) => (record.name === 'HOST_PAGE' ? [record] : []));
}

/** A check of a peer that knows the extension; one that answers the cookie as any PING is not concerned. */
function negotiated(
  what: string,
  scenario: Check['scenario'],
  ...expectations: readonly Expectation[]
): Check {
  const judge = expectsNegotiated(...expectations);
  return {
    what,
    scenario,
    judge: (run, subject) => {
      const answers = answersOf(run.exchange, subject.profile, true);
      const isLegacy = toldPages(answers).length === 0 && answers.pongs.includes(NEGOTIATION_COOKIE);
      if (!isLegacy) return judge(run, subject);
      return {
        verdict: 'not-run',
        why: 'the peer does without host page negotiation: it answered with a PONG alone',
      };
    },
  };
}

/** Host pages as the layout has them, placement pages that are possible with them. */
const toldAsLaidOut: Expectation = {
  expected: 'the host page of each block of the layout, and a placement page that is no larger',
  fault: ({ answers, subject }) => pageFault(toldPages(answers), subject),
};

function pageFault(told: readonly ToldPages[], { blocks }: Subject): string | undefined {
  const wrong = blocks.find((block) => {
    const pages =
      told.find(({ block: name }) => name === block.name) ?? told.find(({ block: name }) => name === '');
    if (pages === undefined) return true;
    const { hostPage, placementPage } = pages;
    return hostPage !== block.hostPageBytes || placementPage > hostPage || hostPage % placementPage !== 0;
  });
  return wrong && `other pages told for '${wrong.name}'`;
}

const lastIsReason = answersWith(
  'REASON as the last word',
  ({ all }) => all.at(-1)?.record.name === 'REASON',
);

/** The checks by rule; those that are missing here bind the source only. */
export const DESTINATION_NEGOTIATION_CHECKS: Readonly<Record<string, readonly Check[]>> = {
  N2: [
    negotiated(
      'the answer to the cookie',
      NEGOTIATED,
      answersWith('HOST_PAGE messages, then the PONG', (answers) => {
        const names = answers.all.map(({ record }) => record.name);
        return names.lastIndexOf('HOST_PAGE') < names.indexOf('PONG');
      }),
      answersWith('the PONG of the cookie', ({ pongs }) => pongs[0] === NEGOTIATION_COOKIE),
    ),
  ],
  N3: [negotiated('the pages that are told', NEGOTIATED, toldAsLaidOut)],
  N4: [
    negotiated(
      'the order of what is told',
      NEGOTIATED,
      answersWith('the default first, and each name once', (answers) => {
        const names = toldPages(answers).map(({ block }) => block);
        return names[0] === '' && new Set(names).size === names.length;
      }),
    ),
  ],
  N5: [
    {
      what: 'a migration without the cookie',
      scenario: HONEST,
      judge: expects(completes()),
    },
  ],
  N10: [negotiated('a migration in the pages that were told', NEGOTIATED, completes())],
  N12: [
    negotiated('an error after the negotiation', BROKEN, refuses('failed'), lastIsReason),
    {
      what: 'an error without negotiation',
      scenario: edited('a footer of another section, and no negotiation', (steps) =>
        replace(
          before(steps, 'part', ...probe(0x401)),
          'end of part',
          send('end of part', encodeEos(), encodeSection('SECTION_FOOTER', { sectionId: 3 })),
        ),
      ),
      judge: expects(refuses('failed')),
    },
  ],
  N13: [
    negotiated(
      'the reason that is given',
      BROKEN,
      answersWith(
        'a reason that can be read, of 500 bytes at most',
        (answers) => answers.count('REASON') === 1,
      ),
    ),
  ],
  N14: [negotiated('what follows the reason', BROKEN, lastIsReason)],
};
