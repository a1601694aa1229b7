// The rules of the destination about the RAM list: D60 to D65.

import { joinBytes } from '../protocol/message.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import { accepted, destinationRule, hiddenRule, look, refused } from './destination-rule.ts';
import { HONEST } from './destination-rules-framing.ts';
import {
  type Edit,
  inSetup,
  needsHugeBlock,
  needsSmallBlock,
  needsTwoBlocks,
} from './destination-scripts.ts';
import { completes } from './expectations.ts';
import { endOfRam, pageLabel, ramSection, ramStart } from './honest-script.ts';
import { rawRamList } from './raw-record.ts';
import type { Rule } from './rule.ts';
import { replace, send, without } from './script.ts';
import type { LayoutBlock, Subject } from './subject.ts';

/** The START of `ram` with a RAM list of one's own. */
function listed(make: (subject: Subject) => Uint8Array): Edit {
  return (steps, _plan, subject) => {
    const start = [ramSection(4), make(subject), endOfRam()];
    return replace(inSetup(steps), 'ram list', send('ram list', ...start));
  };
}

/** The same with other blocks than those of the layout. */
function listedBlocks(change: (blocks: readonly LayoutBlock[]) => readonly LayoutBlock[]): Edit {
  return (steps, _plan, { blocks }) =>
    replace(inSetup(steps), 'ram list', send('ram list', ramStart(change(blocks))));
}

function totalOf(blocks: readonly LayoutBlock[]): number {
  return blocks.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
}

/** Other page sizes in the list than those of the layout. */
function pageSizes(change: (block: LayoutBlock) => number): Edit {
  return listedBlocks((blocks) => blocks.map((block) => ({ ...block, hostPageBytes: change(block) })));
}

/** The rules. */
export const RAM_LIST_RULES: readonly Rule[] = [
  destinationRule(
    'D60',
    'The RAM list is read up to the announced total, and records follow it.',
    look('a list that adds up', HONEST, [completes()]),
    refused(
      'a list that is longer than its total',
      'failed',
      listed(({ blocks }) => {
        const more = { ...blocks[0]!, name: 'more' };
        return joinBytes([rawRamList(totalOf(blocks), [...blocks, more])]);
      }),
    ),
    refused(
      'a list that is shorter than its total',
      'failed',
      listed(({ blocks }) => rawRamList(totalOf(blocks) + TARGET_PAGE_BYTES, blocks)),
    ),
  ),
  destinationRule(
    'D61',
    'An unknown block in the RAM list is refused.',
    refused(
      'an unknown block in the list',
      'failed',
      listedBlocks((blocks) => [...blocks, { name: 'nosuch', lengthBytes: 4096, hostPageBytes: 4096 }]),
    ),
  ),
  destinationRule(
    'D62',
    'A block of fixed length is refused with another length; one that can be resized takes any up to its maximum.',
    refused(
      'the first block twice as long',
      'failed',
      listedBlocks(([first, ...rest]) => [{ ...first!, lengthBytes: 2 * first!.lengthBytes }, ...rest]),
    ),
    refused(
      'the first block a host page shorter',
      'failed',
      listedBlocks(([first, ...rest]) => [
        { ...first!, lengthBytes: first!.lengthBytes - first!.hostPageBytes },
        ...rest,
      ]),
    ),
  ),
  destinationRule(
    'D63',
    'Blocks are taken in any order, and those that the list leaves out are left alone.',
    accepted(
      'the blocks in reverse order',
      (steps, _plan, { blocks }) =>
        replace(steps, 'ram list', send('ram list', ramStart([...blocks].reverse()))),
      [],
      { obstacle: needsTwoBlocks },
    ),
    accepted(
      'the last block left out',
      (steps, plan, { blocks }) => {
        const last = plan.blocks.at(-1)!;
        const discards = last.postcopy.length > 0 ? [`discard ${last.name}`] : [];
        const pages = last.postcopy.map((hostPage) => pageLabel(last, hostPage));
        return replace(
          without(steps, `precopy ${last.name}`, ...discards, ...pages),
          'ram list',
          send('ram list', ramStart(blocks.slice(0, -1))),
        );
      },
      [],
      { obstacle: needsTwoBlocks },
    ),
  ),
  destinationRule(
    'D64',
    "A page size stands in the list if and only if postcopy was advised and the peer's own host page of the block is not the default one; another size is refused.",
    look('page sizes as the layout has them', HONEST, [completes()]),
    refused(
      'no page size for a block with large pages',
      'failed',
      pageSizes(() => TARGET_PAGE_BYTES),
      { obstacle: needsHugeBlock },
    ),
    refused(
      'another page size',
      'failed',
      pageSizes(({ hostPageBytes }) =>
        hostPageBytes === TARGET_PAGE_BYTES ? hostPageBytes : 2 * hostPageBytes,
      ),
      { obstacle: needsHugeBlock },
    ),
    refused(
      'a page size for a block with small pages',
      'failed',
      pageSizes(({ hostPageBytes }) => (hostPageBytes === TARGET_PAGE_BYTES ? 2 * 2 ** 20 : hostPageBytes)),
      { obstacle: needsSmallBlock },
    ),
  ),
  hiddenRule(
    'D65',
    'A guest-physical address stands behind each block if and only if x-ignore-shared is on, and must be the own one where the block is shared.',
    'postcopy and x-ignore-shared exclude each other, and the addresses are known to the peer alone',
  ),
];
