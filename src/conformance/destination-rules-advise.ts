// The rules of the destination about ADVISE: D25 to D32.
import { COMMANDS, encodeCommand } from '../protocol/commands.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import { destinationRule, hiddenRule, look, refused } from './destination-rule.ts';
import {
  type Edit,
  edited,
  inSetup,
  movingOf,
  needsHugeBlock,
  precopyScript,
} from './destination-scripts.ts';
import { completes, expects } from './expectations.ts';
import {
  advise,
  discardOf,
  endOfRam,
  pageLabel,
  pageSizeSummary,
  ramPart,
  ramStart,
} from './honest-script.ts';
import { encodePage, filledPage, MigrationPlan, targetPages } from './migration-plan.ts';
import { scripted } from './play-script.ts';
import { rawCommand } from './raw-command.ts';
import type { Rule } from './rule.ts';
import { after, before, replace, send, without } from './script.ts';

const bytes = (length: number): Uint8Array => new Uint8Array(length);

/** Another ADVISE. */
function advised(payload: Uint8Array): Edit {
  return (steps) =>
    replace(inSetup(steps), 'advise', send('advise', rawCommand(COMMANDS.POSTCOPY_ADVISE.code, payload)));
}

/** ADVISE with other values than those of the layout. */
function advisedPages(values: { pageSizeSummary?: number; targetPageSize?: number }): Edit {
  return (steps, _plan, { blocks }) => {
    const own = { pageSizeSummary: pageSizeSummary(blocks), targetPageSize: 4096 };
    const command = encodeCommand('POSTCOPY_ADVISE', { ...own, ...values });
    return replace(inSetup(steps), 'advise', send('advise', command));
  };
}

/** A precopy migration that advises postcopy of other things than RAM. */
const EMPTY_ADVISE = scripted(
  'a precopy migration with an empty ADVISE',
  (subject) =>
    after(
      precopyScript(subject, new MigrationPlan(subject), { isAdvised: false }),
      'ping 1',
      send('advise', rawCommand(COMMANDS.POSTCOPY_ADVISE.code)),
    ),
  { variant: 'no-postcopy' },
);

const ZERO_PAGE = new Uint8Array(TARGET_PAGE_BYTES);

/** The last page comes before ADVISE and never again: at the end there is nothing of it left. */
const EARLY_PAGE = edited('a page before ADVISE', (steps, plan, subject) => {
  const block = movingOf(plan);
  const early = block.postcopy.at(-1)!;
  const first = early * block.pagesPerHostPage;
  const others = block.postcopy.filter((hostPage) => hostPage !== early);
  const record = encodePage(block.name, first, filledPage(block, first, 1), true);
  const advised = replace(
    before(
      without(steps, 'advise', pageLabel(block, early)),
      'part',
      send('part before ADVISE', ramPart(), record, endOfRam()),
      send('advise', advise(subject)),
    ),
    'ram list',
    send('ram list', ramStart(subject.blocks, false)),
  );
  return replace(advised, `discard ${block.name}`, send('discard', discardOf(block, others)));
});

/** The rules. */
export const ADVISE_RULES: readonly Rule[] = [
  destinationRule(
    'D25',
    'An empty ADVISE is refused where postcopy of RAM is on, and taken where it is off.',
    refused('an empty ADVISE', 'failed', advised(bytes(0))),
    look('an empty ADVISE to a peer without postcopy', EMPTY_ADVISE, [completes()]),
  ),
  destinationRule(
    'D26',
    'An ADVISE for RAM is refused where postcopy of RAM is off.',
    refused('an ADVISE to a peer without postcopy', 'failed', (steps) => inSetup(steps), {
      variant: 'no-postcopy',
    }),
  ),
  destinationRule(
    'D27',
    'An ADVISE that is neither empty nor of 16 bytes is refused.',
    refused('an ADVISE of 8 bytes', 'failed', advised(bytes(8))),
    refused('an ADVISE of 24 bytes', 'failed', advised(bytes(24))),
  ),
  destinationRule(
    'D28',
    'A second ADVISE is refused.',
    refused('ADVISE twice', 'failed', (steps, _plan, subject) =>
      before(steps, 'part', send('advise again', advise(subject))),
    ),
  ),
  destinationRule(
    'D29',
    "An ADVISE whose summary is not the OR of one's own host page sizes is refused.",
    refused('a summary with a page size more', 'failed', (steps, plan, subject) =>
      advisedPages({ pageSizeSummary: pageSizeSummary(subject.blocks) + 2 ** 30 })(steps, plan, subject),
    ),
    refused('the summary of small pages only', 'failed', advisedPages({ pageSizeSummary: 4096 }), {
      obstacle: needsHugeBlock,
    }),
  ),
  destinationRule(
    'D30',
    "An ADVISE with another target page than one's own is refused.",
    refused('a target page of 8 KiB', 'failed', advisedPages({ targetPageSize: 8192 })),
  ),
  hiddenRule(
    'D31',
    'ADVISE is checked in the order state, length, support of the host, summary, target page.',
    'each of these checks has the same outcome, and nothing on the wire tells which of them it was',
  ),
  destinationRule(
    'D32',
    'Once ADVISE was taken all RAM is empty: pages that came before it are not there any more.',
    {
      what: 'a page before ADVISE, which is neither discarded nor sent again',
      profiles: ['7.2', '10.x'],
      scenario: EARLY_PAGE,
      judge: expects(
        completes({
          pages: (plan) => {
            const block = movingOf(plan);
            const pages = targetPages(block, block.postcopy.at(-1)!);
            return { block: block.name, pages: new Map(pages.map((page) => [page, ZERO_PAGE])) };
          },
        }),
      ),
    },
  ),
];
