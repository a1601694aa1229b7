// A small guest for tests, and what it takes to run it.

import { setImmediate } from 'node:timers/promises';
import { fillPattern } from '../../src/machine/fill.ts';
import type { GuestTrace } from '../../src/machine/guest-programs.ts';
import { initialVcpuStates } from '../../src/machine/initial-vcpu-states.ts';
import { type RamBlockSpec, RamImage } from '../../src/machine/ram-block.ts';
import { VcpuControl } from '../../src/machine/vcpu-control.ts';
import type { GuestProgramName, VcpuState } from '../../src/machine/vcpu-state.ts';

const K = 1024;

/** Two blocks whose host pages differ: 64 and 16 target pages. */
export const SMALL_BLOCKS: readonly RamBlockSpec[] = [
  { name: 'pc.ram', lengthBytes: 256 * K, hostPageBytes: 64 * K, kind: 'system' },
  { name: 'vga.vram', lengthBytes: 64 * K, hostPageBytes: 4 * K, kind: 'device' },
];
export const SMALL_PAGES = 80;
export const SEED = 7;

/** A trace with reads and writes, larger than the small guest. */
export const SMALL_TRACE: GuestTrace = {
  pageCount: 200,
  accesses: Uint32Array.from({ length: 300 }, (_, i) => ((i * 37) % 200) * 2 + (i % 3 === 0 ? 1 : 0)),
};

export interface SmallGuest {
  readonly image: RamImage;
  readonly control: VcpuControl;
  readonly initial: VcpuState[];
}

/** A filled image, and vCPUs whose initial states are in their slots. */
export function smallGuest(program: GuestProgramName, vcpus: number, ratePerSecond = 0): SmallGuest {
  const image = RamImage.allocate(SMALL_BLOCKS, 'present');
  fillPattern(image, SEED);
  const initial = initialVcpuStates({
    vcpus,
    program,
    seed: SEED,
    writePercent: 40,
    ratePerSecond,
    totalPages: SMALL_PAGES,
    trace: SMALL_TRACE,
  });
  const control = VcpuControl.allocate(vcpus);
  for (const state of initial) control.writeState(state.index, state);
  return { image, control, initial };
}

/** Lets the event loop turn until each vCPU has done so many accesses more. */
export async function untilEachDid(control: VcpuControl, accesses: number): Promise<void> {
  const indices = Array.from({ length: control.vcpuCount }, (_, i) => i);
  const goals = indices.map((i) => control.count(i) + accesses);
  while (indices.some((i) => control.count(i) < goals[i]! && control.status(i) !== 'failed'))
    await setImmediate();
}

/** SHA-256 of each block, by name. */
export function hashes(image: RamImage): Record<string, string> {
  return Object.fromEntries(image.blocks.map((block) => [block.name, block.hashSha256()]));
}
