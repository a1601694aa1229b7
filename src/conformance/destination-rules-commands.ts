// The rules of the destination about commands but for ADVISE, discards and the package: D20 to D24, D53 to D58.
import { COMMANDS, encodeCommand } from '../protocol/commands.ts';
import { joinBytes } from '../protocol/message.ts';
import { encodeSection } from '../protocol/sections.ts';
import { recovered } from './destination-recovery.ts';
import { accepted, destinationRule, look, refused } from './destination-rule.ts';
import { HONEST } from './destination-rules-framing.ts';
import {
  type Edit,
  edited,
  inPrecopy,
  inRunning,
  inSetup,
  movingOf,
  withPackage,
} from './destination-scripts.ts';
import { answersWith, completes, pongs, refuses } from './expectations.ts';
import { advise, discardOf, LISTEN, PING_IN_PACKAGE, ping, RUN } from './honest-script.ts';
import { rawCommand } from './raw-command.ts';
import type { Rule } from './rule.ts';
import { before, send, without } from './script.ts';

const bytes = (length: number): Uint8Array => new Uint8Array(length);

/** A command put in before ADVISE. */
function early(command: Uint8Array): Edit {
  return (steps) => inSetup(steps, send('changed', command));
}

/** A command put in when the guest runs. */
function late(command: Uint8Array | ((...args: Parameters<Edit>) => Uint8Array)): Edit {
  return (steps, plan, subject) =>
    inRunning(
      steps,
      send('changed', typeof command === 'function' ? command(steps, plan, subject) : command),
    );
}

const { PING, POSTCOPY_LISTEN, POSTCOPY_RESUME, RECV_BITMAP, OPEN_RETURN_PATH } = COMMANDS;
const RESUME = encodeCommand('POSTCOPY_RESUME', {});
const SWITCHOVER_START = encodeCommand('SWITCHOVER_START', {});

/** A section that no peer has, so that loading it fails. */
const UNLOADABLE = joinBytes([
  encodeSection('SECTION_FULL', { sectionId: 99, idstr: 'nosuch', instanceId: 0, versionId: 1 }),
  encodeSection('SECTION_FOOTER', { sectionId: 99 }),
]);

/** The rules. */
export const COMMAND_RULES: readonly Rule[] = [
  destinationRule(
    'D20',
    'Command 0 and commands above the last that is known are refused.',
    refused('command 0', 'failed', early(rawCommand(0))),
    refused('command 12', 'failed', early(rawCommand(12))),
    refused('command 0xffff', 'failed', early(rawCommand(0xffff))),
  ),
  destinationRule(
    'D21',
    'A command of fixed length with another length is refused before it has any effect.',
    look('a PING of five bytes', edited('a PING of five bytes', early(rawCommand(PING.code, bytes(5)))), [
      refuses('failed'),
      answersWith('no PONG for it', ({ pongs }) => !pongs.includes(0)),
    ]),
    refused('an OPEN_RETURN_PATH of one byte', 'failed', early(rawCommand(OPEN_RETURN_PATH.code, bytes(1)))),
    refused('a LISTEN of one byte', 'failed', (steps) =>
      withPackage(inPrecopy(steps), rawCommand(POSTCOPY_LISTEN.code, bytes(1)), PING_IN_PACKAGE, RUN),
    ),
    refused('a RESUME of one byte', 'failed', early(rawCommand(POSTCOPY_RESUME.code, bytes(1)))),
  ),
  destinationRule(
    'D22',
    'Every PING is answered by a PONG with its value once the return path is open, and is refused before.',
    look('the PINGs of a whole migration', HONEST, [completes(), pongs(1, 2, 3, 4)]),
    accepted('PINGs of any value', (steps) => before(steps, 'advise', ping(0), ping(0xffff_ffff), ping(0)), [
      pongs(0, 0, 0xffff_ffff, 1, 2, 3, 4),
    ]),
    refused('a PING before the return path is open', 'failed', (steps) => without(steps, 'open return path')),
  ),
  destinationRule(
    'D23',
    'An OPEN_RETURN_PATH that comes a second time does no harm.',
    accepted('OPEN_RETURN_PATH twice', early(encodeCommand('OPEN_RETURN_PATH', {}))),
  ),
  destinationRule(
    'D24',
    'A PING in the package is answered only after all that stands before it there was loaded.',
    look(
      'a PING behind a section that cannot be loaded',
      edited('a PING behind a section that cannot be loaded', (steps) =>
        withPackage(inPrecopy(steps), LISTEN, UNLOADABLE, PING_IN_PACKAGE, RUN),
      ),
      [refuses('failed'), answersWith('no PONG 3', ({ pongs }) => !pongs.includes(3))],
    ),
  ),
  destinationRule(
    'D53',
    'A RESUME outside of a recovery is not answered and does no harm.',
    accepted(
      'RESUME before and after the switchover',
      (steps) => inRunning(inSetup(steps, send('resume', RESUME)), send('resume again', RESUME)),
      [answersWith('no RESUME_ACK', (answers) => answers.count('RESUME_ACK') === 0)],
    ),
  ),
  destinationRule(
    'D54',
    'A RESUME in a recovery is answered by RESUME_ACK 1, and then all pending pages are asked for again, the first with its block.',
    recovered(
      'the answer to RESUME',
      'RESUME_ACK 1 once, and no request that needs a block before one that names it',
      ({ all, requests }) => {
        const acks = all.flatMap(({ record }) => (record.name === 'RESUME_ACK' ? [record.value] : []));
        if (acks.join() !== '1') return `RESUME_ACK ${acks.join(', ')}`;
        return requests[0]?.isNamed === false ? 'a request without a block comes first' : undefined;
      },
    ),
  ),
  destinationRule(
    'D55',
    'A RECV_BITMAP without a name, with more than its name, or of an unknown block is refused.',
    refused('a RECV_BITMAP without a name', 'paused', late(rawCommand(RECV_BITMAP.code, Uint8Array.of(0)))),
    refused(
      'a RECV_BITMAP with a byte too many',
      'paused',
      late((_steps, plan) =>
        rawCommand(
          RECV_BITMAP.code,
          joinBytes([RECV_BITMAP.encode({ block: plan.blocks[0]!.name }), bytes(1)]),
        ),
      ),
    ),
    refused(
      'a RECV_BITMAP of an unknown block',
      'paused',
      late(encodeCommand('RECV_BITMAP', { block: 'nosuch' })),
    ),
  ),
  destinationRule(
    'D56',
    'A RECV_BITMAP outside of a recovery is not answered and does no harm.',
    accepted(
      'RECV_BITMAP when the guest runs',
      late((_steps, plan) => encodeCommand('RECV_BITMAP', { block: plan.blocks[0]!.name })),
      [answersWith('no bitmap', (answers) => answers.count('RECV_BITMAP') === 0)],
    ),
  ),
  destinationRule(
    'D57',
    'SWITCHOVER_START is an unknown command to a 7.2 and is taken without an answer by a 10.x.',
    refused('SWITCHOVER_START', 'failed', early(SWITCHOVER_START), { profiles: ['7.2', 'strict'] }),
    accepted(
      'SWITCHOVER_START, taken',
      (steps) => inPrecopy(steps, send('switchover', SWITCHOVER_START)),
      [],
      {
        profiles: ['10.x'],
      },
    ),
  ),
  destinationRule(
    'D58',
    'When the guest runs, a RUN, a DISCARD and an unknown command pause the migration; an ADVISE or a LISTEN ends a 7.2, and pauses a peer that knows better.',
    ...(
      [
        ['an ADVISE when the guest runs', late((_steps, _plan, subject) => advise(subject))],
        ['a LISTEN when the guest runs', late(LISTEN)],
      ] as const
    ).flatMap(([what, edit]) => [
      refused(what, 'failed', edit, { profiles: ['7.2'] }),
      refused(`${what}, where it need not be fatal`, 'either', edit, { profiles: ['10.x', 'strict'] }),
    ]),
    refused('a RUN when the guest runs', 'paused', late(RUN)),
    refused(
      'a discard when the guest runs',
      'paused',
      late((_steps, plan) => discardOf(movingOf(plan), movingOf(plan).postcopy)),
    ),
    refused('an unknown command when the guest runs', 'paused', late(rawCommand(12))),
  ),
];
