// The rules of the destination about requests, the end of the migration, errors and recovery: D90 to D100.
import { encodeEos } from '../protocol/ram-records.ts';
import { encodeSection } from '../protocol/sections.ts';
import { RAM_SECTION_ID } from '../source/setup-records.ts';
import { bitmapFault, recovered } from './destination-recovery.ts';
import { accepted, destinationRule, hiddenRule, look, refused } from './destination-rule.ts';
import { HONEST } from './destination-rules-framing.ts';
import { inPostcopyPart, inRunning, inSetup, movingOf } from './destination-scripts.ts';
import { answersWith, completes } from './expectations.ts';
import { MigrationPlan } from './migration-plan.ts';
import { scripted } from './play-script.ts';
import { describeRequest, judgesRequests, type RequestExpectation, requestScript } from './request-script.ts';
import type { Check, Rule } from './rule.ts';
import { before, findStep, send } from './script.ts';

/** Pages that go out as they are asked for. */
const REQUESTED = scripted('pages that are sent as the peer asks for them', (subject) =>
  requestScript(subject, new MigrationPlan(subject)),
);

const MOMENT_MS = 300;

/** A look at the requests of the run in which pages are sent as they are asked for. */
function requests(what: string, expectation: RequestExpectation): Check {
  return { what, scenario: REQUESTED, judge: judgesRequests(expectation, completes()) };
}

/** The rules. */
export const RETURN_PATH_RULES: readonly Rule[] = [
  destinationRule(
    'D90',
    'A request is for one host page: it starts at one, has its length, and lies in its block.',
    requests('what is asked for', {
      expected: 'each request for one host page of a block of the layout',
      fault: (all, plan) => {
        const bad = all.find(({ block: name, start, length }) => {
          const block = plan.blocks.find((candidate) => candidate.name === name);
          if (block === undefined || length !== block.hostPageBytes) return true;
          return start % block.hostPageBytes !== 0 || start + length > block.lengthBytes;
        });
        return bad && describeRequest(bad);
      },
    }),
  ),
  destinationRule(
    'D91',
    'The first request and each one for another block than the one before names its block; the others do not.',
    requests('which requests name their block', {
      expected: 'REQ_PAGES_ID where the block changes, REQ_PAGES elsewhere',
      fault: (all) => {
        const bad = all.findIndex(
          ({ block, isNamed }, at) => isNamed !== (at === 0 || all[at - 1]!.block !== block),
        );
        if (bad === -1) return undefined;
        const { isNamed } = all[bad]!;
        return `request ${bad + 1} ${isNamed ? 'names' : 'does not name'} its block: ${describeRequest(all[bad]!)}`;
      },
    }),
  ),
  destinationRule(
    'D92',
    'A page that was received and not discarded is not asked for.',
    requests('whether pages are asked for that precopy brought', {
      expected: 'no request for a page that precopy brought and nobody discarded',
      fault: (all, plan) => {
        const bad = all.find(({ block: name, start }) => {
          const block = plan.blocks.find((candidate) => candidate.name === name);
          // A request for no block of the layout is against D90 or D91.
          return block !== undefined && !block.postcopy.includes(start / block.hostPageBytes);
        });
        return bad && describeRequest(bad);
      },
    }),
  ),
  hiddenRule(
    'D93',
    'A page may be asked for again while it is not there, and is remembered until it is.',
    'it may, so neither one request nor two are wrong; what is remembered is asked for again in a recovery only',
  ),
  hiddenRule(
    'D94',
    'Requests can be made from LISTEN on, also while the package is loaded.',
    'whether device state touches missing pages while it is loaded is up to the devices of the peer',
  ),
  destinationRule(
    'D95',
    'SHUT 0 comes after EOF, and only when the device state is loaded.',
    look('the last word of a whole migration', HONEST, [
      completes(),
      answersWith('PONG 3 before SHUT', ({ pongs, shuts }) => pongs.includes(3) && shuts.length === 1),
    ]),
    accepted('an EOF that comes late', (steps) =>
      before(
        steps,
        'eof',
        { label: 'a moment', do: 'listen', ms: MOMENT_MS },
        { label: 'no SHUT before EOF', do: 'await', until: ({ shuts }) => shuts.length === 0 },
      ),
    ),
  ),
  destinationRule(
    'D96',
    'An error before the guest runs ends the migration; no SHUT need be sent.',
    refused('a PART that was cut short, before the guest runs', 'failed', (steps) =>
      inSetup(steps, send('changed', encodeSection('SECTION_PART', { sectionId: RAM_SECTION_ID }))),
    ),
  ),
  destinationRule(
    'D97',
    'Any error while the guest runs pauses the migration: all channels are closed, and the guest is kept.',
    refused('a footer of another section, when the guest runs', 'paused', (steps) =>
      inPostcopyPart(
        steps,
        Buffer.concat([encodeEos(), encodeSection('SECTION_FOOTER', { sectionId: RAM_SECTION_ID + 1 })]),
      ),
    ),
    refused('a section of no type, when the guest runs', 'paused', (steps) =>
      inRunning(steps, send('changed', Uint8Array.of(0x09, 0, 0, 0, 0))),
    ),
    refused('the stream ends inside a page, when the guest runs', 'paused', (steps, plan) => {
      const block = movingOf(plan);
      const page = plan.hostPage(block, block.postcopy[0]!);
      const prepared = inPostcopyPart(steps, page.subarray(0, page.length - 1));
      return [
        ...prepared.slice(0, findStep(prepared, 'changed') + 1),
        { label: 'the end of the stream', do: 'close' },
        { label: 'the end of the connection', do: 'await-end' },
      ];
    }),
  ),
  destinationRule(
    'D98',
    'On a recovery connection commands come at once, without a header.',
    recovered(
      'a recovery that begins with RECV_BITMAP',
      'it is taken, and the migration completes',
      () => undefined,
    ),
  ),
  destinationRule(
    'D99',
    'A received bitmap is its size, a multiple of 8, the bits, least significant first, 1 for received, zero padding, and the end mark.',
    recovered(
      'the bitmaps of a recovery',
      'a bit for each page that was received, and no other',
      bitmapFault,
    ),
  ),
  destinationRule(
    'D100',
    'Section ids and what was received outlive a recovery.',
    recovered(
      'a PART under the old section id, with the pages that are left',
      'it is taken, and the migration completes',
      () => undefined,
    ),
  ),
];
