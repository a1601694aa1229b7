// The rules of the destination about LISTEN, RUN and the package: D46 to D52.
import { encodeCommand } from '../protocol/commands.ts';
import { accepted, destinationRule, look, refused } from './destination-rule.ts';
import { edited, inPrecopy, inSetup, usualPackage, withPackage } from './destination-scripts.ts';
import { answersWith, completes, completesOrFails, completesOrFailsOnTheWire } from './expectations.ts';
import { deviceSections, LISTEN, PING_IN_PACKAGE, packageOf, pageLabel, RUN } from './honest-script.ts';
import type { Rule } from './rule.ts';
import { findStep, replace, type Step, send } from './script.ts';

const PING_BEHIND_RUN = 0x201;
/** A peer that answers something it must not know yet does so within a moment. */
const MOMENT_MS = 300;
/** Of PACKAGED, before its blob. */
const PACKAGED_BYTES = 9;

/** Nothing is discarded, so nothing that precopy sent is sent again. */
const WITHOUT_DISCARD = edited('no discard at all', (steps, plan) =>
  plan.blocks.reduce<readonly Step[]>((so, block) => {
    if (block.postcopy.length === 0) return so;
    const isRedirtied = (label: string): boolean =>
      block.redirtied.some((hostPage) => label === pageLabel(block, hostPage));
    const kept = so.filter(({ label }) => label !== `discard ${block.name}` && !isRedirtied(label));
    const clean = block.precopy.map((hostPage) => plan.hostPage(block, hostPage));
    return replace(kept, `precopy ${block.name}`, send(`precopy ${block.name}`, ...clean));
  }, steps),
);

const OUTSIDE = edited('LISTEN and RUN on the main channel', (steps, _plan, subject) =>
  replace(steps, 'package', send('package', deviceSections(subject), LISTEN, RUN)),
);

/** The package in two pieces, with a wait in between. */
function packageInPieces(whole: Uint8Array, ...between: readonly Step[]): Step[] {
  const half = PACKAGED_BYTES + LISTEN.length + PING_IN_PACKAGE.length;
  return [
    send('package, first piece', whole.subarray(0, half)),
    ...between,
    send('package, second piece', whole.subarray(half)),
  ];
}

/** The rules. */
export const PACKAGE_RULES: readonly Rule[] = [
  destinationRule(
    'D46',
    'A LISTEN is refused unless postcopy was advised.',
    refused('a LISTEN without ADVISE', 'failed', (steps) => inSetup(steps, send('changed', LISTEN))),
  ),
  destinationRule(
    'D47',
    'A LISTEN that follows ADVISE without any discard is taken; a QEMU of 7.2 then refuses the RUN, so a source sends one discard at least.',
    look('no discard at all', WITHOUT_DISCARD, [completes()], { profiles: ['strict'] }),
    look('no discard at all', WITHOUT_DISCARD, [completesOrFails()], { profiles: ['10.x'] }),
    // While one thread of that QEMU refuses the RUN, its other one may have read all pages, and says `completed`.
    look('no discard at all, which may fail', WITHOUT_DISCARD, [completesOrFailsOnTheWire()], {
      profiles: ['7.2'],
    }),
  ),
  destinationRule(
    'D48',
    'A RUN is refused before LISTEN.',
    refused('a RUN without LISTEN', 'failed', (steps) => withPackage(inPrecopy(steps), PING_IN_PACKAGE, RUN)),
  ),
  destinationRule(
    'D49',
    'RUN ends the package: what stands behind it there is ignored.',
    accepted(
      'a PING and other bytes behind RUN in the package',
      (steps, _plan, subject) =>
        withPackage(
          steps,
          ...usualPackage(subject),
          encodeCommand('PING', { value: PING_BEHIND_RUN }),
          Uint8Array.of(0x55, 0x55),
        ),
      [answersWith('no PONG for it', ({ pongs }) => !pongs.includes(PING_BEHIND_RUN))],
    ),
  ),
  destinationRule(
    'D50',
    'The whole package is read before any of it is loaded; the end of the input inside of it is an error.',
    accepted('a package that comes in two pieces', (steps, _plan, subject) =>
      replace(
        steps,
        'package',
        ...packageInPieces(
          packageOf(LISTEN, PING_IN_PACKAGE, deviceSections(subject), RUN),
          { label: 'a moment', do: 'listen', ms: MOMENT_MS },
          {
            label: 'no PONG of a package that is not whole',
            do: 'await',
            until: ({ pongs }) => !pongs.includes(3),
          },
        ),
      ),
    ),
    refused('the stream ends inside the package', 'failed', (steps, _plan, subject) => {
      const whole = packageOf(...usualPackage(subject));
      const prepared = inPrecopy(steps);
      return [
        ...prepared.slice(0, findStep(prepared, 'package')),
        send('half of the package', whole.subarray(0, whole.length - RUN.length)),
        { label: 'the end of the stream', do: 'close' },
        { label: 'the end of the connection', do: 'await-end' },
      ];
    }),
  ),
  destinationRule(
    'D51',
    'A package that ends without RUN is refused.',
    refused('a package without RUN', 'failed', (steps, _plan, subject) =>
      withPackage(inPrecopy(steps), LISTEN, deviceSections(subject), PING_IN_PACKAGE),
    ),
  ),
  destinationRule(
    'D52',
    'LISTEN and RUN are taken outside of a package too, one right behind the other; a QEMU of 7.2 may crash after its SHUT 0 then.',
    look('LISTEN and RUN on the main channel', OUTSIDE, [completes()], { profiles: ['strict'] }),
    look(
      'LISTEN and RUN on the main channel, up to SHUT 0',
      OUTSIDE,
      [answersWith('SHUT 0 as the last word', ({ shuts }) => shuts.join() === '0')],
      { profiles: ['7.2', '10.x'] },
    ),
  ),
];
