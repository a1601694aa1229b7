// What guests do: where each program goes next.

import { mix32, RANDOM_INCREMENT, scaleHash } from './mix32.ts';
import type { GuestProgramName, VcpuState } from './vcpu-state.ts';
import { zipfRank } from './zipf.ts';

/** The page accesses of a real program, replayed over and over. */
export interface GuestTrace {
  /** Pages that the program had. */
  readonly pageCount: number;
  /** page * 2 + (1 for a write), in order. On shared memory it is not copied to each vCPU's thread. */
  readonly accesses: Uint32Array;
}

/** What a program may look at beside its state. */
export interface GuestShape {
  /** Target pages of the guest. */
  readonly pageCount: number;
  readonly trace: GuestTrace | undefined;
}

/** The page touched next. `value` was read just now, `bits` is fresh randomness; may move `state.position`. */
export type NextPage = (state: VcpuState, value: number, bits: number, shape: GuestShape) => number;

/** Ticks per second of an idle guest to which no rate was given. */
export const IDLE_TICKS_PER_SECOND = 100;

/** The programs. Each is a pure function of the state, the value read and the randomness, so a guest can be repeated. */
export const GUEST_PROGRAMS: Readonly<Record<GuestProgramName, NextPage>> = {
  /** Page after page, round and round. */
  sequential: ({ cursor }, _value, _bits, { pageCount }) => (cursor + 1 < pageCount ? cursor + 1 : 0),

  /** Any page, all equally often. */
  random: (_state, _value, bits, { pageCount }) => scaleHash(mix32(bits + RANDOM_INCREMENT), pageCount),

  /** Few pages often, many seldom; scrambled, so that the often used ones are not neighbours. */
  zipf: ({ seed, constants }, _value, bits, { pageCount }) => {
    const rank = zipfRank(mix32(bits + RANDOM_INCREMENT) / 2 ** 32, pageCount, constants);
    return scaleHash(mix32(rank ^ seed), pageCount);
  },

  /** Where the value read points to, so that no access can begin before the one before it has ended. */
  'pointer-chase': (_state, value, bits, { pageCount }) => scaleHash(mix32(value ^ bits), pageCount),

  /** A tick on the same page: what is left of a guest that sleeps. */
  idle: ({ cursor }) => cursor,

  /** The accesses of a real program. */
  trace: (state, _value, _bits, { pageCount, trace }) => {
    const { accesses } = trace!;
    state.position = state.position + 1 < accesses.length ? state.position + 1 : 0;
    return tracedPage(accesses[state.position]!, pageCount);
  },
};

/** The guest page of one entry of a trace; a guest smaller than the traced program reuses its pages. */
export function tracedPage(entry: number, pageCount: number): number {
  return (entry >>> 1) % pageCount;
}
