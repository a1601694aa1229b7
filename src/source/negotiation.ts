// Decides, from the destination's answers, which page every block is placed in (docs/protocol.md, rules N1...).
import { MemoryMapError, ProtocolError } from '../errors.ts';
import { formatByteSize, isPowerOfTwo } from '../machine/byte-size.ts';
import { type GuestMmu, mmuRefusal } from '../machine/mmu.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';

/** A block of the source. */
export interface SourceBlock {
  readonly name: string;
  readonly lengthBytes: number;
  readonly hostPageBytes: number;
  readonly kind: 'system' | 'device';
}

/** One HOST_PAGE message: sizes in bytes; the empty name stands for all blocks not named. */
export interface HostPageAnswer {
  readonly block: string;
  readonly hostPage: number;
  readonly placementPage: number;
}

/** The pages of one block, as agreed. */
export interface BlockPlacement {
  readonly block: string;
  readonly sourceHostPageBytes: number;
  /** Undefined at a peer without the extension, which does not tell. */
  readonly destinationHostPageBytes: number | undefined;
  /** Unit of contiguity, discard and request from here on. */
  readonly placementPageBytes: number;
}

/** What the guest needs of its host pages. */
export interface GuestPages {
  readonly mmu: GuestMmu;
  readonly guestPageBytes: number;
  /** Whether it may run while a host page behind its largest pages is placed in pieces; a radix guest always may. */
  readonly mayRunOnBroken?: boolean;
}

/**
 * The placement of every block, in the source's order, as the destination wants it. No answer means a peer without the
 * extension: the sizes must then be equal, which such a peer checks itself (rule D29), so ours are taken.
 *
 * @throws ProtocolError `bad-host-page-list`
 */
export function wantedPlacements(
  blocks: readonly SourceBlock[],
  answers: readonly HostPageAnswer[],
): BlockPlacement[] {
  if (answers.length === 0) {
    return blocks.map((block) => ({
      block: block.name,
      sourceHostPageBytes: block.hostPageBytes,
      destinationHostPageBytes: undefined,
      placementPageBytes: block.hostPageBytes,
    }));
  }
  checkList(answers);
  const byName = new Map(answers.map((answer) => [answer.block, answer]));
  return blocks.map((block) => {
    const answer = byName.get(block.name) ?? answers[0]!;
    return {
      block: block.name,
      sourceHostPageBytes: block.hostPageBytes,
      destinationHostPageBytes: answer.hostPage,
      placementPageBytes: answer.placementPage,
    };
  });
}

/**
 * Refuses what cannot be done, or what the guest cannot live with. A peer without the extension told no sizes to check.
 *
 * @throws MemoryMapError `placement-page-refused` or `mmu-refused`
 */
export function checkPlacements(
  blocks: readonly SourceBlock[],
  placements: readonly BlockPlacement[],
  guest: GuestPages,
): void {
  const told = blocks.flatMap((block, index) => {
    const { destinationHostPageBytes: hostPageBytes, placementPageBytes } = placements[index]!;
    return hostPageBytes === undefined ? [] : [{ ...block, hostPageBytes, placementPageBytes, block }];
  });
  for (const { block, hostPageBytes, placementPageBytes } of told) {
    checkPlacement(block, hostPageBytes, placementPageBytes);
  }
  const refusal = mmuRefusal(guest, told);
  if (refusal !== undefined) throw new MemoryMapError('mmu-refused', refusal.message, { rule: 'N8' });
  if (guest.mayRunOnBroken === true) return;
  const pieces = told.map(({ placementPageBytes, ...block }) => ({
    ...block,
    hostPageBytes: placementPageBytes,
  }));
  const broken = mmuRefusal(guest, pieces);
  if (broken === undefined) return;
  throw new MemoryMapError(
    'mmu-refused',
    `${broken.message}, not even until all pieces of a larger one have come: --allow-broken-pages lets it`,
    { rule: 'N8' },
  );
}

/** The default comes first, and no block twice. */
function checkList(answers: readonly HostPageAnswer[]): void {
  const names = answers.map((answer) => answer.block);
  if (names[0] !== '') {
    throw new ProtocolError(
      'bad-host-page-list',
      `expected the default (an empty block name) first, found '${names[0]}'`,
      { rule: 'N4' },
    );
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new ProtocolError('bad-host-page-list', `expected each block once, found '${twice}' again`, {
      rule: 'N4',
    });
  }
}

function checkPlacement(block: SourceBlock, hostPage: number, placementPage: number): void {
  const fault = findFault(block, hostPage, placementPage);
  if (fault === undefined) return;
  const sizes = `length ${formatByteSize(block.lengthBytes)}, source host page ${formatByteSize(block.hostPageBytes)}, destination host page ${formatByteSize(hostPage)}, placement page ${formatByteSize(placementPage)}`;
  throw new MemoryMapError('placement-page-refused', `block '${block.name}' (${sizes}): ${fault}`, {
    rule: 'N7',
  });
}

function findFault(block: SourceBlock, hostPage: number, placementPage: number): string | undefined {
  if (!isPowerOfTwo(placementPage)) return 'the placement page must be a power of two';
  if (placementPage < TARGET_PAGE_BYTES) {
    return `the placement page must be at least the target page, ${formatByteSize(TARGET_PAGE_BYTES)}`;
  }
  if (placementPage > hostPage) return 'the placement page must not be larger than the destination host page';
  if (block.lengthBytes % placementPage !== 0)
    return 'the placement page must divide the length of the block';
  return undefined;
}
