// An order of pages over small blocks, driven by hand: what is taken is sent, and is clean then.
import { RamBlock } from '../../../src/machine/ram-block.ts';
import { DirtyHistory } from '../../../src/source/dirty-history.ts';
import { PageOrder, type PageUnit, type PlacedBlock } from '../../../src/source/page-order.ts';
import { type PushCounts, PushPhase } from '../../../src/source/push/push-phase.ts';
import type { RecordedFault } from '../../../src/source/push/push-strategy.ts';

export const PAGE = 4096;

/** A block: its placement pages, the target pages of one, and which are dirty; all without. */
export interface BlockShape {
  readonly name: string;
  readonly units: number;
  readonly pagesPerUnit: number;
  readonly dirty?: readonly number[];
  /** Placement pages of a host page at the destination; without it that is one. */
  readonly unitsPerHostPage?: number;
}

/** One block of `units` placement pages of 4 KiB. */
export const single = (units: number, dirty?: readonly number[]): BlockShape[] => [
  { name: 'a', units, pagesPerUnit: 1, ...(dirty === undefined ? {} : { dirty }) },
];

/** Two blocks, the second in larger placement pages. */
export const TWO_BLOCKS: readonly BlockShape[] = [
  { name: 'a', units: 4, pagesPerUnit: 1 },
  { name: 'b', units: 3, pagesPerUnit: 4 },
];

export function makeBlock({ name, units, pagesPerUnit, dirty, unitsPerHostPage }: BlockShape): PlacedBlock {
  const ram = RamBlock.allocate(
    { name, lengthBytes: units * pagesPerUnit * PAGE, hostPageBytes: PAGE, kind: 'system' },
    'present',
  );
  for (const unit of dirty ?? Array.from({ length: units }, (_, index) => index)) {
    ram.dirty.setRange(unit * pagesPerUnit, pagesPerUnit);
  }
  const placementPageBytes = pagesPerUnit * PAGE;
  if (unitsPerHostPage === undefined) return { ram, placementPageBytes };
  return { ram, placementPageBytes, hostPageBytes: unitsPerHostPage * placementPageBytes };
}

/** What a strategy goes by beside requests: its past, and how it is composed. */
export interface RigOptions {
  /** Which placement pages a guest dirtied before each sync. */
  readonly syncs?: readonly (readonly (readonly [block: number, unit: number])[])[];
  /** What faulted in an earlier run. */
  readonly faults?: readonly RecordedFault[];
  readonly restFirst?: boolean;
  /** Target pages of a piece that is pushed whole. */
  readonly pagesPerPiece?: number;
}

export class PushRig {
  readonly order: PageOrder;
  readonly blocks: readonly PlacedBlock[];
  readonly #perUnit: readonly number[];

  readonly #push: PushPhase;

  constructor(strategy: string, shapes: readonly BlockShape[], options: RigOptions = {}) {
    this.blocks = shapes.map(makeBlock);
    this.#perUnit = shapes.map(({ pagesPerUnit }) => pagesPerUnit);
    const { syncs = [], faults = [], restFirst = true, pagesPerPiece } = options;
    const pieces = pagesPerPiece === undefined ? {} : { pieceBytes: pagesPerPiece * PAGE };
    this.#push = new PushPhase({ strategy, faults, restFirst, ...pieces });
    const history = this.#history(syncs);
    this.order = new PageOrder(this.blocks, (line) => this.#push.strategyFor(line, history));
    this.#push.begin(this.order, 0);
  }

  #history(syncs: NonNullable<RigOptions['syncs']>): DirtyHistory {
    const history = new DirtyHistory(this.blocks);
    for (const sync of syncs) {
      history.beginSync();
      for (const [block, unit] of sync) {
        const page = unit * this.#perUnit[block]!;
        history.note(block, page - (page % 32), 1 << (page % 32));
      }
    }
    return history;
  }

  get counts(): PushCounts {
    return this.#push.counts!;
  }

  /** Asks for placement pages of a block. */
  ask(name: string, ...units: number[]): void {
    for (const unit of units) {
      const index = this.blocks.findIndex(({ ram }) => ram.name === name);
      const bytes = this.blocks[index]!.placementPageBytes;
      this.order.request(name, unit * bytes, bytes);
    }
  }

  /** Takes and sends the next placement page. */
  take(): PageUnit | undefined {
    const unit = this.order.next();
    unit?.block.ram.dirty.clearRange(unit.firstPage, unit.pageCount);
    return unit;
  }

  /** The next placement pages, at most `count`: its number, behind its block if that is not `a`; `!` if requested. */
  send(count = Number.POSITIVE_INFINITY): string {
    const sent: string[] = [];
    while (sent.length < count) {
      const unit = this.take();
      if (unit === undefined) break;
      const { block, firstPage, pageCount, isRequested } = unit;
      const name = block.ram.name === 'a' ? '' : block.ram.name;
      sent.push(`${name}${firstPage / pageCount}${isRequested ? '!' : ''}`);
    }
    return sent.join(' ');
  }
}
