// The rules of the destination about the preempt channel: D101 to D104.
import { encodeCommand } from '../protocol/commands.ts';
import { joinBytes } from '../protocol/message.ts';
import { encodeEos, RAM_FLAG, TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import { destinationRule, look } from './destination-rule.ts';
import { hugeOf, movingOf, needsHugeBlock, whenRunning } from './destination-scripts.ts';
import { completes, doesNotComplete, refuses } from './expectations.ts';
import { END_LABEL, endOfRam, honestScript, pageLabel, probe } from './honest-script.ts';
import { encodePage, MigrationPlan, type PlannedBlock } from './migration-plan.ts';
import { scripted } from './play-script.ts';
import { rawRecord } from './raw-record.ts';
import { requestScript } from './request-script.ts';
import type { Check, Rule } from './rule.ts';
import type { Scenario } from './scenario.ts';
import { after, before, replace, type Step, send, without } from './script.ts';
import type { Subject } from './subject.ts';

const MOMENT_MS = 300;
const UNNOTICED_MS = 1500;
const VARIANT = { variant: 'preempt' } as const;
const OLD = ['7.2', 'strict'] as const;
const CONNECT: Step = { label: 'connect the preempt channel', do: 'connect-preempt' };
const EOS_ON_PREEMPT: Step = { ...send('EOS on the preempt channel', encodeEos()), on: 'preempt' } as Step;

/** Bytes for the preempt channel. */
function onPreempt(label: string, ...parts: readonly Uint8Array[]): Step {
  return { label, do: 'send', bytes: joinBytes(parts), on: 'preempt' };
}

/**
 * A second connection as the profile has it: 7.2 opens it at once, and ends it with EOS behind EOF; newer sources open it
 * when a PONG has shown that the main channel works, and do not end it.
 */
export function withPreempt(steps: readonly Step[], { profile }: Subject): Step[] {
  if (profile !== '10.x') return after([CONNECT, ...steps], 'eof', EOS_ON_PREEMPT);
  const pong: Step = { label: 'PONG 1', do: 'await', until: ({ pongs }) => pongs.includes(1) };
  return before(steps, 'part', pong, CONNECT);
}

function preempted(
  name: string,
  edit: (steps: readonly Step[], plan: MigrationPlan, subject: Subject) => readonly Step[],
): Scenario {
  return scripted(
    name,
    (subject) => {
      const plan = new MigrationPlan(subject);
      return edit(withPreempt(honestScript(subject, plan), subject), plan, subject);
    },
    VARIANT,
  );
}

/** The records of a host page, of which only the first names the block, in two halves. */
function halves(plan: MigrationPlan, block: PlannedBlock, hostPage: number): [Uint8Array, Uint8Array] {
  const first = hostPage * block.pagesPerHostPage;
  const record = (page: number): Uint8Array =>
    encodePage(block.name, page, plan.finalPage(block, page), page === first);
  const pages = Array.from({ length: block.pagesPerHostPage }, (_, at) => record(first + at));
  return [joinBytes(pages.slice(0, pages.length / 2)), joinBytes(pages.slice(pages.length / 2))];
}

/** A bad record on the preempt channel pauses the migration. QEMU reads no more of the channel, and then waits for ever. */
function badOnPreempt(what: string, bytes: (plan: MigrationPlan) => Uint8Array): Check[] {
  // Nothing orders the channels, and a 10.x that has all pages has no need of what is still on the preempt channel.
  const moment: Step = { label: 'a moment for what was changed', do: 'listen', ms: MOMENT_MS };
  const changed = (steps: readonly Step[], plan: MigrationPlan): Step[] =>
    before(steps, 'postcopy part', ...whenRunning(), onPreempt('changed', bytes(plan)), moment);
  const unnoticed = `${what}, which may go unnoticed`;
  return [
    look(what, preempted(what, changed), [refuses('paused')], { profiles: ['strict'] }),
    look(
      unnoticed,
      preempted(unnoticed, (steps, plan) =>
        replace(changed(steps, plan), END_LABEL, { label: 'a while', do: 'listen', ms: UNNOTICED_MS }),
      ),
      [doesNotComplete()],
      { profiles: ['7.2', '10.x'] },
    ),
  ];
}

/** The rules. */
export const PREEMPT_RULES: readonly Rule[] = [
  {
    ...destinationRule(
      'D101',
      'A 7.2 that expects a preempt channel loads nothing before two connections are there; the one that was accepted first is the main channel.',
      look(
        'a preempt channel that comes late',
        scripted(
          'a preempt channel that comes late',
          (subject) => {
            const steps = honestScript(subject, new MigrationPlan(subject));
            const waits: Step[] = [
              { label: 'a moment', do: 'listen', ms: MOMENT_MS },
              {
                label: 'no PONG before the preempt channel is there',
                do: 'await',
                until: ({ pongs }) => pongs.length === 0,
              },
              CONNECT,
            ];
            return after(before(steps, 'advise', ...waits), 'eof', EOS_ON_PREEMPT);
          },
          VARIANT,
        ),
        [completes()],
      ),
    ),
    profiles: OLD,
  },
  destinationRule(
    'D102',
    'The preempt channel brings page records only, and has a CONTINUE memory and a host page under way of its own; what is wrong on it pauses the migration, or at a QEMU keeps it from ever completing.',
    look(
      'pages that are sent on the preempt channel as they are asked for',
      scripted(
        'pages that are sent on the preempt channel as they are asked for',
        (subject) => withPreempt(requestScript(subject, new MigrationPlan(subject), 'preempt'), subject),
        VARIANT,
      ),
      [completes()],
    ),
    look(
      'a host page on the preempt channel in the middle of one on the main channel',
      preempted(
        'a host page on the preempt channel in the middle of one on the main channel',
        (steps, plan, subject) => {
          const block = hugeOf(plan, subject);
          const [first, second] = block.postcopy;
          const [begin, end] = halves(plan, block, first!);
          const [otherBegin, otherEnd] = halves(plan, block, second!);
          return replace(
            before(without(steps, pageLabel(block, second!)), 'postcopy part', ...whenRunning()),
            pageLabel(block, first!),
            send('first half on main', begin),
            onPreempt('first half on preempt', otherBegin),
            send('second half on main', end),
            onPreempt('second half on preempt', otherEnd),
          );
        },
      ),
      [completes()],
      { obstacle: needsHugeBlock },
    ),
    ...badOnPreempt('CONTINUE on the preempt channel, which has named no block', (plan) => {
      const block = movingOf(plan);
      const offset = block.postcopy[0]! * block.hostPageBytes;
      return rawRecord(offset, RAM_FLAG.PAGE | RAM_FLAG.CONTINUE, new Uint8Array(TARGET_PAGE_BYTES));
    }),
    ...badOnPreempt('a command on the preempt channel', () =>
      joinBytes([encodeCommand('PING', { value: 7 }), endOfRam()]),
    ),
  ),
  destinationRule(
    'D103',
    'A 7.2 does not send SHUT before EOS has come on the preempt channel; newer ones do not wait for it.',
    look(
      'an EOS on the preempt channel that comes late',
      preempted('an EOS on the preempt channel that comes late', (steps) =>
        before(
          steps,
          EOS_ON_PREEMPT.label,
          { label: 'a moment', do: 'listen', ms: MOMENT_MS },
          {
            label: 'no SHUT before EOS on the preempt channel',
            do: 'await',
            until: ({ shuts }) => shuts.length === 0,
          },
        ),
      ),
      [completes()],
      { profiles: OLD },
    ),
    look(
      'no EOS on the preempt channel',
      preempted('no EOS on the preempt channel', (steps) => steps),
      [completes()],
      { profiles: ['10.x'] },
    ),
  ),
  {
    ...destinationRule(
      'D104',
      'A newer destination tells connections by what they begin with, so that a preempt channel may come when the main one is at work.',
      look(
        'a preempt channel that comes when the guest is about to run',
        preempted('a preempt channel that comes when the guest is about to run', (steps) => [
          ...before(without(steps, CONNECT.label), 'package', ...probe(0x301), CONNECT),
        ]),
        [completes()],
      ),
    ),
    profiles: ['10.x'],
  },
];
