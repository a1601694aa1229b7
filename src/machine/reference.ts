// The same guest without migration: what RAM has to be afterwards.

import { GuestError } from '../errors.ts';
import { fillFromFile, fillPattern, type GuestFill } from './fill.ts';
import { GuestMemory } from './guest-memory.ts';
import type { GuestTrace } from './guest-programs.ts';
import { type RamBlockSpec, RamImage } from './ram-block.ts';
import type { VcpuState } from './vcpu-state.ts';
import { makeStep } from './vcpu-step.ts';

/** A guest, and how far it ran. */
export interface ReferenceGuest {
  readonly blocks: readonly RamBlockSpec[];
  readonly fill: GuestFill;
  /** The states before the first access. */
  readonly vcpus: readonly VcpuState[];
  /** Accesses that each vCPU did in all. */
  readonly counts: readonly number[];
  readonly trace?: GuestTrace | undefined;
  /** Where the file of a fill of kind `file` is. */
  readonly ramImagePath?: string | undefined;
}

/** Who is told of the pages that vCPUs touch after a moment of their life. */
export interface TouchWatch {
  /** Accesses that each vCPU had done by then. */
  readonly fromCounts: readonly number[];
  /** `page` counts target pages of all blocks in a row. */
  onTouch(page: number): void;
}

/**
 * Runs a guest from its start to the given counts and returns the SHA-256 of each block, by name.
 *
 * In one thread, one vCPU after the other: each has its own lane of every page, so the order makes no difference. Needs
 * as much memory as the guest has RAM. Throws GuestError `reference-mismatch` when counts or file do not fit the guest.
 */
export function referenceRun(guest: ReferenceGuest, watch?: TouchWatch): Record<string, string> {
  const { vcpus, counts, trace } = guest;
  if (counts.length !== vcpus.length) {
    throw mismatch(`expected a count for each of ${vcpus.length} vCPUs, got ${counts.length}`);
  }
  const image = RamImage.allocate(guest.blocks, 'present');
  fillAgain(image, guest);
  const memory = new GuestMemory({ image, tracksDirty: false, onFault: unexpectedFault });
  for (const [i, initial] of vcpus.entries()) {
    const state = { ...initial };
    const count = counts[i]!;
    if (!(count >= state.count)) {
      throw mismatch(`vCPU ${state.index} cannot go from access ${state.count} to ${count}`);
    }
    const step = makeStep(state, memory, trace);
    const unwatched = Math.min(count, watch?.fromCounts[i] ?? count);
    while (state.count < unwatched) step();
    while (state.count < count) {
      watch?.onTouch(state.cursor);
      step();
    }
  }
  return Object.fromEntries(image.blocks.map((block) => [block.name, block.hashSha256()]));
}

function fillAgain(image: RamImage, { fill, ramImagePath }: ReferenceGuest): void {
  if (fill.kind === 'pattern') {
    fillPattern(image, fill.seed, fill.zeroPercent);
    return;
  }
  if (ramImagePath === undefined) {
    throw mismatch('its RAM was filled from a file, and the path of that file is not known here');
  }
  const filled = fillFromFile(image, ramImagePath);
  if (filled.kind !== 'file' || filled.sha256 !== fill.sha256) {
    throw mismatch(`the file ${ramImagePath} is not the one that its RAM was filled from (${fill.sha256})`);
  }
}

function unexpectedFault(): never {
  throw new Error('a page of the reference guest is missing');
}

function mismatch(fault: string): GuestError {
  return new GuestError('reference-mismatch', `the guest cannot be run again: ${fault}`);
}
