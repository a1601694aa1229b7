// The rules of the destination about discards: D33 to D45.
import { COMMANDS } from '../protocol/commands.ts';
import { ranges } from '../protocol/fields.ts';
import { joinBytes } from '../protocol/message.ts';
import { accepted, destinationRule, hiddenRule, look, refused } from './destination-rule.ts';
import { HONEST } from './destination-rules-framing.ts';
import {
  type Edit,
  edited,
  hugeOf,
  inPrecopy,
  inRunning,
  inSetup,
  movingOf,
  needsHugeBlock,
  needsSmallBlock,
  needsSmallPages,
  smallOf,
} from './destination-scripts.ts';
import { completes, completesOrFails } from './expectations.ts';
import { discardOf, discardRanges } from './honest-script.ts';
import type { MigrationPlan, PlannedBlock } from './migration-plan.ts';
import { discardPayload, type RawDiscard, rawCommand } from './raw-command.ts';
import type { Rule } from './rule.ts';
import { after, before, replace, send } from './script.ts';
import type { Subject } from './subject.ts';

/** The block with the largest host pages: an alignment that is too small shows there best. */
function coarsest(plan: MigrationPlan): PlannedBlock {
  return [...plan.blocks].sort((a, b) => b.hostPageBytes - a.hostPageBytes)[0]!;
}

/** One more discard, of one range of the coarsest block, in front of the others. */
function discarding(range: (block: PlannedBlock) => { start: number; length: number }): Edit {
  return (steps, plan) => {
    const block = coarsest(plan);
    return inPrecopy(steps, send('changed', discardRanges(block.name, [range(block)])));
  };
}

/** A discard with a payload of its own. */
function rawDiscard(make: (plan: MigrationPlan) => RawDiscard): Edit {
  return (steps, plan) => {
    const command = rawCommand(COMMANDS.POSTCOPY_RAM_DISCARD.code, discardPayload(make(plan)));
    return inPrecopy(steps, send('changed', command));
  };
}

/** One range that is right. */
function firstPage(plan: MigrationPlan): { block: string; rest: Uint8Array } {
  const { name, hostPageBytes } = plan.blocks[0]!;
  return { block: name, rest: ranges.encode([{ start: 0, length: hostPageBytes }]) };
}

/** A discard of nothing. */
function emptyRangeOf(blockOf: (plan: MigrationPlan, subject: Subject) => PlannedBlock): Edit {
  return (steps, plan, subject) => {
    const { name } = blockOf(plan, subject);
    return inPrecopy(steps, send('changed', discardRanges(name, [{ start: 0, length: 0 }])));
  };
}

const EMPTY_HUGE_RANGE = edited('a range of no length of a block with large pages', emptyRangeOf(hugeOf));

/** Every other host page of the sent ones, so many that they need more than one command of a QEMU source. */
const MANY = 18;

/** The rules. */
export const DISCARD_RULES: readonly Rule[] = [
  destinationRule(
    'D33',
    'A discard is refused unless postcopy was advised and has not begun.',
    refused('a discard without ADVISE', 'failed', (steps, plan) => {
      const block = movingOf(plan);
      return inSetup(steps, send('changed', discardOf(block, block.postcopy)));
    }),
    refused('a discard behind LISTEN', 'either', (steps, plan) => {
      const block = movingOf(plan);
      return after(steps, 'package', send('changed', discardOf(block, block.postcopy)));
    }),
  ),
  destinationRule(
    'D34',
    'A discard of less than 20 bytes is refused.',
    refused(
      'a discard with a short name and no range',
      'failed',
      rawDiscard(() => ({ block: 'r', rest: new Uint8Array(0) })),
    ),
  ),
  destinationRule(
    'D35',
    'A discard of another version than 0 is refused.',
    refused(
      'a discard of version 1',
      'failed',
      rawDiscard((plan) => ({ ...firstPage(plan), version: 1 })),
    ),
  ),
  destinationRule(
    'D36',
    'A discard without a 0 byte behind the name is refused.',
    refused(
      'a discard whose name ends with 1',
      'failed',
      rawDiscard((plan) => ({ ...firstPage(plan), terminator: 1 })),
    ),
  ),
  destinationRule(
    'D37',
    'A discard whose ranges do not fill it exactly is refused.',
    refused(
      'a discard with half a range more',
      'failed',
      rawDiscard((plan) => {
        const { block, rest } = firstPage(plan);
        return { block, rest: joinBytes([rest, new Uint8Array(8)]) };
      }),
    ),
  ),
  destinationRule(
    'D38',
    'A discard of an unknown block is refused.',
    refused('a discard of an unknown block', 'failed', (steps) =>
      inPrecopy(steps, send('changed', discardRanges('nosuch', [{ start: 0, length: 4096 }]))),
    ),
  ),
  destinationRule(
    'D39',
    'A discard that does not start at a host page is refused.',
    refused(
      'a discard that starts in the middle of a host page',
      'failed',
      discarding(({ hostPageBytes }) => ({ start: hostPageBytes / 2, length: hostPageBytes })),
    ),
  ),
  destinationRule(
    'D40',
    'A discard that is not of whole host pages is refused.',
    refused(
      'a discard of half a host page',
      'failed',
      discarding(({ hostPageBytes }) => ({ start: 0, length: hostPageBytes / 2 })),
    ),
  ),
  destinationRule(
    'D41',
    'A discard that ends beyond the block is refused.',
    refused(
      'a discard that ends behind its block',
      'failed',
      discarding(({ lengthBytes, hostPageBytes }) => ({
        start: lengthBytes - hostPageBytes,
        length: 2 * hostPageBytes,
      })),
    ),
    refused(
      'a discard behind its block',
      'failed',
      discarding(({ lengthBytes, hostPageBytes }) => ({ start: lengthBytes, length: hostPageBytes })),
    ),
  ),
  destinationRule(
    'D42',
    'A range of no length is taken, and has no effect; a QEMU refuses it on a block with pages of hugetlbfs.',
    accepted('a range of no length', emptyRangeOf(smallOf), [], { obstacle: needsSmallBlock }),
    ...(['strict', '10.x', '7.2'] as const).map((profile) =>
      look(
        `a range of no length of a block with large pages${profile === 'strict' ? '' : ', which may fail'}`,
        EMPTY_HUGE_RANGE,
        [profile === 'strict' ? completes() : completesOrFails()],
        { profiles: [profile], obstacle: needsHugeBlock },
      ),
    ),
  ),
  destinationRule(
    'D43',
    'A discarded page counts as not received: it may be sent again, and what was there is gone.',
    look('pages that were sent, discarded and sent again', HONEST, [completes()]),
    refused('a page that was sent and not discarded', 'paused', (steps, plan) => {
      const block = movingOf(plan);
      const others = block.postcopy.filter((hostPage) => hostPage !== block.redirtied[0]);
      const discards = others.length === 0 ? [] : [send(`discard ${block.name}`, discardOf(block, others))];
      return replace(inRunning(steps), `discard ${block.name}`, ...discards);
    }),
  ),
  destinationRule(
    'D44',
    'More than 12 ranges in one discard are taken.',
    accepted(
      `${MANY} ranges in one discard, whose pages come again`,
      (steps, plan, subject) => {
        const block = smallOf(plan, subject);
        const kept = block.redirtied[0]!;
        const chosen = Array.from({ length: MANY }, (_, index) => kept + 2 + 2 * index).filter(
          (hostPage) => block.precopy.includes(hostPage) || block.postcopy.includes(hostPage),
        );
        const sentAgain = chosen.filter((hostPage) => block.precopy.includes(hostPage));
        const list = chosen.map((hostPage) => ({
          start: hostPage * block.hostPageBytes,
          length: block.hostPageBytes,
        }));
        return before(
          before(steps, 'ping 2', send('many ranges', discardRanges(block.name, list))),
          'end of postcopy part',
          ...sentAgain.map((hostPage) => send('sent again', plan.hostPage(block, hostPage))),
        );
      },
      [],
      { obstacle: needsSmallPages },
    ),
  ),
  hiddenRule(
    'D45',
    'Of the ranges of a discard those before a bad one stay discarded.',
    "the migration fails at the bad one, and what RAM holds of a guest that never ran is nobody's",
  ),
];
