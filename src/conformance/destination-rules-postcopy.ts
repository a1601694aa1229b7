// The rules of the destination about page records from LISTEN on: D77 to D85.
import { joinBytes } from '../protocol/message.ts';
import { encodeZeroRecord, TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import { accepted, destinationRule, hiddenRule, look, refused } from './destination-rule.ts';
import { HONEST } from './destination-rules-framing.ts';
import { type Edit, edited, hugeOf, inRunning, movingOf, needsHugeBlock } from './destination-scripts.ts';
import { completes, expects } from './expectations.ts';
import { endOfRam, pageLabel, ramPart } from './honest-script.ts';
import { encodePage, type MigrationPlan, type PlannedBlock, targetPages } from './migration-plan.ts';
import type { Rule } from './rule.ts';
import { after, before, replace, send, without } from './script.ts';

const huge = { obstacle: needsHugeBlock };
const ZERO_PAGE = new Uint8Array(TARGET_PAGE_BYTES);

/** Records of target pages, each with the name of its block. */
function records(plan: MigrationPlan, block: PlannedBlock, pages: readonly number[]): Uint8Array {
  return joinBytes(pages.map((page) => plan.pageRecord(block, page, true)));
}

/** The first host page of the block with large ones, sent otherwise. */
function firstHugePage(
  make: (plan: MigrationPlan, block: PlannedBlock, pages: readonly number[]) => Uint8Array,
): Edit {
  return (steps, plan, subject) => {
    const block = hugeOf(plan, subject);
    const [hostPage] = block.postcopy;
    const label = pageLabel(block, hostPage!);
    return replace(steps, label, send(label, make(plan, block, targetPages(block, hostPage!))));
  };
}

/** Two host pages under way at a time on one channel. */
const interleaved: Edit = (steps, plan, subject) => {
  const block = hugeOf(plan, subject);
  const [first, second] = block.postcopy;
  const label = pageLabel(block, first!);
  const half = targetPages(block, first!).slice(0, block.pagesPerHostPage / 2);
  const split = [...half, ...targetPages(block, second!).slice(0, 1)];
  return replace(inRunning(steps), label, send(label, records(plan, block, split)));
};

/** The last host page of postcopy is not sent. */
const lastPageMissing: Edit = (steps, plan) => {
  const block = movingOf(plan);
  return without(inRunning(steps), pageLabel(block, block.postcopy.at(-1)!));
};

/** One target page comes twice, and another not at all. */
const twice: Edit = (steps, plan, subject) =>
  firstHugePage((_plan, block, pages) => records(plan, block, [...pages.slice(0, -1), pages[0]!]))(
    inRunning(steps),
    plan,
    subject,
  );

const LENIENT = ['7.2', '10.x'] as const;

/** A redirtied host page that is zero at the end. */
const ZEROED = edited('a host page of zero pages only, where something else was', (steps, plan) => {
  const block = movingOf(plan);
  const [hostPage] = block.postcopy;
  const label = pageLabel(block, hostPage!);
  const zeros = targetPages(block, hostPage!).map((page) =>
    encodeZeroRecord(page * TARGET_PAGE_BYTES, block.name),
  );
  return replace(steps, label, send(label, ...zeros));
});

/** The rules. */
export const POSTCOPY_RULES: readonly Rule[] = [
  destinationRule(
    'D77',
    'The records of a host page come in any order.',
    accepted(
      'the target pages of a host page from the last to the first',
      firstHugePage((plan, block, pages) => records(plan, block, [...pages].reverse())),
      [],
      huge,
    ),
  ),
  destinationRule(
    'D78',
    'EOS, a footer and a new section may stand in the middle of a host page.',
    accepted(
      'a host page in two sections',
      firstHugePage((plan, block, pages) => {
        const half = pages.length / 2;
        return joinBytes([
          records(plan, block, pages.slice(0, half)),
          endOfRam(),
          ramPart(),
          records(plan, block, pages.slice(half)),
        ]);
      }),
      [],
      huge,
    ),
  ),
  destinationRule(
    'D79',
    'A record of another host page is refused while one is incomplete on its channel.',
    refused('two host pages under way at a time', 'paused', interleaved, huge),
  ),
  hiddenRule(
    'D80',
    'A host page becomes visible to the guest when all of it is there, and as a whole.',
    'only the guest of the peer sees when a page appears; that its content is right at the end is seen by D77 to D79',
  ),
  destinationRule(
    'D81',
    'A host page is complete when as many records came as it has target pages; a strict peer refuses one that comes twice instead.',
    look(
      'a target page in the place of another, which is taken',
      edited('a target page in the place of another, which is taken', twice),
      [completes({ ignored: (plan, subject) => hugeOf(plan, subject).name })],
      { profiles: LENIENT, ...huge },
    ),
    refused('a target page in the place of another', 'paused', twice, { profiles: ['strict'], ...huge }),
  ),
  destinationRule('D82', 'A host page of zero records only becomes a page of zeros.', {
    what: 'a host page of zero pages only, where something else was',
    scenario: ZEROED,
    judge: expects(
      completes({
        pages: (plan) => {
          const block = movingOf(plan);
          const zeroed = targetPages(block, block.postcopy[0]!);
          return { block: block.name, pages: new Map(zeroed.map((page) => [page, ZERO_PAGE])) };
        },
      }),
    ),
  }),
  destinationRule(
    'D83',
    'A host page that is present already is refused in postcopy.',
    refused('a host page that was placed in postcopy, again', 'paused', (steps, plan) => {
      const block = movingOf(plan);
      const label = pageLabel(block, block.postcopy[0]!);
      return after(inRunning(steps), label, send('again', plan.hostPage(block, block.postcopy[0]!)));
    }),
    refused('a zero page that was placed in postcopy, again', 'paused', (steps, plan) => {
      const block = movingOf(plan);
      const label = pageLabel(block, block.postcopy[0]!);
      const zeros = targetPages(block, block.postcopy[0]!).map((page) =>
        encodeZeroRecord(page * TARGET_PAGE_BYTES, block.name),
      );
      return after(replace(inRunning(steps), label, send(label, ...zeros)), label, send('again', ...zeros));
    }),
    refused('a page that precopy brought', 'paused', (steps, plan) => {
      const block = movingOf(plan);
      return after(inRunning(steps), 'postcopy part', send('again', plan.hostPage(block, block.precopy[0]!)));
    }),
  ),
  destinationRule(
    'D84',
    'The rules of precopy hold up to LISTEN: until then the target pages of several host pages may be mixed, and come again.',
    accepted(
      'two host pages mixed in precopy',
      (steps, plan, subject) => {
        const block = hugeOf(plan, subject);
        const [first, second] = block.precopy;
        const others = targetPages(block, second ?? first!);
        const mixed = targetPages(block, first!).flatMap((page, at) => [
          encodePage(block.name, page, plan.finalPage(block, page), true),
          encodePage(block.name, others[at]!, plan.finalPage(block, others[at]!), true),
        ]);
        return before(steps, 'end of part', send('mixed', ...mixed));
      },
      [],
      huge,
    ),
  ),
  destinationRule(
    'D85',
    'At a QEMU the end of the stream completes the migration whether or not all pages have come; a strict peer finds that out.',
    look(
      'the last page missing, which is not found out',
      edited('the last page missing, which is not found out', lastPageMissing),
      [completes({ ignored: (plan) => movingOf(plan).name })],
      {
        profiles: LENIENT,
      },
    ),
    refused('the last page missing', 'paused', lastPageMissing, { profiles: ['strict'] }),
    look('no page missing', HONEST, [completes()]),
  ),
];
