// One step of a vCPU: one access to memory.

import { GuestError } from '../errors.ts';
import type { GuestMemory } from './guest-memory.ts';
import { GUEST_PROGRAMS, type GuestShape, type GuestTrace, type NextPage } from './guest-programs.ts';
import { mix32, RANDOM_INCREMENT } from './mix32.ts';
import type { VcpuState } from './vcpu-state.ts';

/** Words of a lane. vCPU i reads and writes bytes 64 i .. 64 i + 63 of every page, and no others. */
export const LANE_WORDS = 16;

/** Does one access and moves the state on. */
export type Step = () => void;

/**
 * Gives the function that does one access of this vCPU.
 *
 * What it reads goes into the accumulator, and the accumulator into what it writes, so one stale, lost or misplaced word
 * changes everything that this vCPU writes from then on. vCPUs write in disjoint lanes: however their steps interleave,
 * RAM ends up the same. A step that throws (its page is missing and the vCPU has to stop) has changed nothing.
 * Throws GuestError `bad-vcpu-state` when state, memory and trace do not fit, `trace-missing`.
 */
export function makeStep(state: VcpuState, memory: GuestMemory, trace?: GuestTrace): Step {
  checkFit(state, memory, trace);
  const lane = state.index * LANE_WORDS;
  const nextPage: NextPage = GUEST_PROGRAMS[state.program];
  const accesses = state.program === 'trace' ? trace?.accesses : undefined;
  const shape: GuestShape = { pageCount: memory.pageCount, trace };
  const { writePercent } = state;
  // Signed: V8 keeps a signed 32-bit number in the variable itself, an unsigned one in a new object at each step.
  let bits = mix32(state.random) | 0;

  return () => {
    const word = lane + (bits & (LANE_WORDS - 1));
    const value = memory.access(state.cursor, word);
    // From here on nothing throws.
    const accumulator = mix32(state.accumulator + value + RANDOM_INCREMENT);
    const isWrite =
      accesses === undefined ? (bits >>> 8) % 100 < writePercent : (accesses[state.position]! & 1) === 1;
    if (isWrite) memory.store(word, accumulator);
    const random = (state.random + RANDOM_INCREMENT) >>> 0;
    bits = mix32(random) | 0;
    state.accumulator = accumulator;
    state.random = random;
    state.cursor = nextPage(state, value, bits, shape);
    state.count += 1;
  };
}

function checkFit(state: VcpuState, { pageCount }: GuestMemory, trace: GuestTrace | undefined): void {
  if (state.cursor >= pageCount) {
    const message = `vCPU ${state.index} is about to touch page ${state.cursor} of a guest with ${pageCount} pages`;
    throw new GuestError('bad-vcpu-state', message);
  }
  if (state.program !== 'trace') return;
  if (trace === undefined) {
    throw new GuestError('trace-missing', `vCPU ${state.index} replays a trace, and none was given`);
  }
  if (state.position >= trace.accesses.length) {
    const message = `vCPU ${state.index} is at access ${state.position} of a trace with ${trace.accesses.length}`;
    throw new GuestError('bad-vcpu-state', message);
  }
}
