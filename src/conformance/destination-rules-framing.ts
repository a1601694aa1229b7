// The rules of the destination about the frame of the stream: D1 to D18.
import { encodeEos } from '../protocol/ram-records.ts';
import { encodeSection, HEADER, STREAM_MAGIC } from '../protocol/sections.ts';
import { completes, expects, pongs, refuses } from './expectations.ts';
import { honestScript, pageLabel, probe } from './honest-script.ts';
import { MigrationPlan } from './migration-plan.ts';
import { scripted } from './play-script.ts';
import type { Rule } from './rule.ts';
import { after, before, replace, send } from './script.ts';

/** The migration that keeps every rule. */
export const honest = scripted('a migration that keeps every rule', (subject) =>
  honestScript(subject, new MigrationPlan(subject)),
);

/** The rules. */
export const FRAMING_RULES: readonly Rule[] = [
  {
    id: 'D1',
    sentence: 'A stream whose first word is not 0x5145564d is refused.',
    role: 'destination',
    checks: [
      {
        what: 'another magic',
        scenario: scripted('another magic', (subject) =>
          replace(
            honestScript(subject, new MigrationPlan(subject)),
            'header',
            send('header', HEADER.encode({ magic: STREAM_MAGIC + 1, version: 3 })),
          ),
        ),
        judge: expects(refuses('failed')),
      },
    ],
  },
  {
    id: 'D15',
    sentence: 'A footer that does not begin with 0x7e, or has another section id, is refused.',
    role: 'destination',
    checks: [
      {
        what: 'the id of another section in a footer',
        scenario: scripted('a footer of another section', (subject) =>
          before(
            replace(
              honestScript(subject, new MigrationPlan(subject)),
              'end of part',
              send('end of part', encodeEos(), encodeSection('SECTION_FOOTER', { sectionId: 3 })),
            ),
            'part',
            ...probe(100),
          ),
        ),
        judge: expects(refuses('failed')),
      },
    ],
  },
  {
    id: 'D22',
    sentence:
      'Every PING is answered by a PONG with its value once the return path is open, and is refused before.',
    role: 'destination',
    checks: [
      {
        what: 'the PINGs of a whole migration',
        scenario: honest,
        judge: expects(completes(), pongs(1, 2, 3, 4)),
      },
    ],
  },
  {
    id: 'D83',
    sentence: 'A host page that is present already is refused in postcopy.',
    role: 'destination',
    checks: [
      {
        what: 'a host page that was placed in postcopy, again',
        scenario: scripted('a host page twice in postcopy', (subject) => {
          const plan = new MigrationPlan(subject);
          const [block] = plan.blocks;
          const again = send('again', plan.hostPage(block!, block!.postcopy[0]!));
          return after(honestScript(subject, plan), pageLabel(block!, block!.postcopy[0]!), again);
        }),
        judge: expects(refuses('paused')),
      },
    ],
  },
];
