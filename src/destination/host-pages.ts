// Which host page backs each block here, and in which pieces it is placed; given by hand or for blocks that the stream will name.
import { MemoryMapError } from '../errors.ts';
import type { RamBlockSpec } from '../machine/ram-block.ts';
import { hex } from '../protocol/bytes.ts';
import type { PageSizeField } from '../protocol/ram-record-decoder.ts';
import { type RamListEntry, TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';

/** Host pages of a machine whose blocks are learned from the stream, or given. */
export interface HostPageOptions {
  /** Host page in bytes of every block that is not named. */
  readonly defaultBytes: number;
  /** Host page in bytes of blocks by name. */
  readonly byName: ReadonlyMap<string, number>;
  /** In which pieces larger host pages are placed; undefined places each as a whole. */
  readonly placementBytes?: number | undefined;
  /** The whole layout, if it is given; then the stream must fit it (rules D61, D62). */
  readonly layout?: readonly RamBlockSpec[] | undefined;
  /** Takes host pages as the stream announces them: a recording that is only read has no others. */
  readonly asAnnounced?: boolean;
}

/** Knows and checks host page sizes. */
export class HostPages {
  readonly #options: HostPageOptions;

  constructor(options: HostPageOptions) {
    this.#options = options;
  }

  /** Those of whatever stream comes. */
  static asAnnounced(): HostPages {
    return new HostPages({ defaultBytes: TARGET_PAGE_BYTES, byName: new Map(), asAnnounced: true });
  }

  /** Placement page in bytes of a block: what "host page" means on the wire (rule N10). */
  of(block: string): number {
    return this.#placementOf(this.#wholeOf(block));
  }

  /** The given layout, in placement pages. */
  get layout(): RamBlockSpec[] | undefined {
    return this.#options.layout?.map((spec) => this.#broken(spec));
  }

  /** The HOST_PAGE answers: the default first, under an empty name, then every block that has a page of its own. */
  answers(): { block: string; hostPage: number; placementPage: number }[] {
    const named = new Map(this.#options.byName);
    for (const spec of this.#options.layout ?? []) named.set(spec.name, spec.hostPageBytes);
    const all: [string, number][] = [['', this.#options.defaultBytes], ...named];
    return all.map(([block, hostPage]) => ({ block, hostPage, placementPage: this.#placementOf(hostPage) }));
  }

  /**
   * How to read a RAM list's entry. With a given layout as QEMU does (rule D64). A learned one is looked at more
   * closely, so that a mismatch is found by its sizes and not by garbage that was read in their place.
   */
  fieldFor(block: string): PageSizeField {
    if (this.#options.layout === undefined) return 'guess';
    return this.of(block) === TARGET_PAGE_BYTES ? 'absent' : 'present';
  }

  /** With a given layout, the check of ADVISE (rule D29). @throws MemoryMapError `page-sizes-differ` */
  checkSummary(summary: number): void {
    const { layout } = this;
    if (layout !== undefined)
      refuseOtherSummary(
        summary,
        layout.map((spec) => spec.hostPageBytes),
      );
  }

  /**
   * Checks the RAM list and returns the blocks to make. `summary` is that of ADVISE, or undefined without one: page
   * sizes do not matter then. @throws MemoryMapError
   */
  checkList(entries: readonly RamListEntry[], summary: number | undefined): RamBlockSpec[] {
    const { layout } = this;
    if (summary !== undefined) {
      // A given layout was compared with ADVISE, and a list may leave blocks of it out (rule D63).
      if (layout === undefined) {
        refuseOtherSummary(
          summary,
          entries.map((entry) => this.#pageOf(entry)),
        );
      }
      for (const entry of entries) this.#checkField(entry);
    }
    if (layout === undefined) {
      return entries.map((entry) =>
        this.#broken({
          name: entry.block,
          lengthBytes: entry.length,
          hostPageBytes:
            this.#options.asAnnounced === true ? this.#pageOf(entry) : this.#wholeOf(entry.block),
          kind: entry.block === 'vga.vram' ? 'device' : 'system',
        }),
      );
    }
    // In the list's order, whatever that of the layout is: it is where in the guest's RAM each block stands.
    return entries.map((entry) => checkAgainst(layout, entry));
  }

  /** The host page that backs a block. */
  #wholeOf(block: string): number {
    const given = this.#options.layout?.find((spec) => spec.name === block);
    return given?.hostPageBytes ?? this.#options.byName.get(block) ?? this.#options.defaultBytes;
  }

  #placementOf(wholePageBytes: number): number {
    return Math.min(this.#options.placementBytes ?? wholePageBytes, wholePageBytes);
  }

  /** A block as it is placed, in pieces if its host page is larger than they are. */
  #broken(spec: RamBlockSpec): RamBlockSpec {
    const placement = this.#placementOf(spec.hostPageBytes);
    if (placement === spec.hostPageBytes) return spec;
    return { ...spec, hostPageBytes: placement, wholePageBytes: spec.hostPageBytes };
  }

  #pageOf({ block, pageSize }: RamListEntry): number {
    return this.#options.asAnnounced === true ? (pageSize ?? TARGET_PAGE_BYTES) : this.of(block);
  }

  #checkField(entry: RamListEntry): void {
    const { block, pageSize } = entry;
    const local = this.#pageOf(entry);
    const received = pageSize ?? TARGET_PAGE_BYTES;
    if (received === local) return;
    throw new MemoryMapError(
      'page-sizes-differ',
      `Mismatched RAM page size ${block} (local) ${local} != ${received}`,
      {
        rule: 'D64',
      },
    );
  }
}

/** QEMU's message, with both sums in hexadecimal. */
function refuseOtherSummary(summary: number, hostPages: readonly number[]): void {
  const local = [...new Set(hostPages)].reduce((sum, size) => sum + size, 0);
  if (summary === local) return;
  throw new MemoryMapError(
    'page-sizes-differ',
    `Postcopy needs matching RAM page sizes (s=${summary.toString(16)} d=${local.toString(16)})`,
    { rule: 'D29' },
  );
}

function checkAgainst(layout: readonly RamBlockSpec[], { block, length }: RamListEntry): RamBlockSpec {
  const spec = layout.find((candidate) => candidate.name === block);
  if (spec === undefined) {
    throw new MemoryMapError('unknown-block', `RAM list: expected blocks of ours, found '${block}'`, {
      rule: 'D61',
    });
  }
  if (spec.lengthBytes !== length) {
    throw new MemoryMapError(
      'length-differs',
      `Size mismatch: ${block}: ${hex(length)} != ${hex(spec.lengthBytes)}`,
      {
        rule: 'D62',
      },
    );
  }
  return spec;
}
