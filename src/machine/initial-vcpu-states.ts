// The vCPUs of a guest at its start.

import { GuestError, OptionError } from '../errors.ts';
import { type GuestTrace, IDLE_TICKS_PER_SECOND, tracedPage } from './guest-programs.ts';
import { mix32, scaleHash } from './mix32.ts';
import { type GuestProgramName, MAX_VCPUS, type VcpuState } from './vcpu-state.ts';
import { zipfConstants } from './zipf.ts';

/** What a guest is to do. */
export interface GuestWorkload {
  /** Number of vCPUs, 1 to 64. */
  readonly vcpus: number;
  readonly program: GuestProgramName;
  readonly seed: number;
  /** Writes per hundred accesses. */
  readonly writePercent: number;
  /** Accesses per second of each vCPU; 0 is flat out, or for an idle guest its tick. */
  readonly ratePerSecond: number;
  /** Target pages of all blocks. */
  readonly totalPages: number;
  readonly trace?: GuestTrace;
}

/**
 * The vCPUs of a guest before their first access, spread evenly over its pages or its trace.
 * Throws OptionError `bad-vcpu-count`, GuestError `trace-missing`.
 */
export function initialVcpuStates(workload: GuestWorkload): VcpuState[] {
  const { vcpus, program, seed, trace, totalPages } = workload;
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > MAX_VCPUS) {
    throw new OptionError('bad-vcpu-count', `a guest has 1 to ${MAX_VCPUS} vCPUs, not ${vcpus}`);
  }
  const accesses = program === 'trace' ? (trace?.accesses ?? new Uint32Array()) : undefined;
  if (accesses?.length === 0) {
    throw new GuestError('trace-missing', 'the program `trace` needs a trace with at least one access');
  }
  const ratePerSecond =
    program === 'idle' && workload.ratePerSecond === 0 ? IDLE_TICKS_PER_SECOND : workload.ratePerSecond;
  const constants = program === 'zipf' ? zipfConstants(totalPages) : { zeta: 0, eta: 0, secondRankEnd: 0 };

  return Array.from({ length: vcpus }, (_, index) => {
    const random = mix32(mix32(seed) ^ (index + 1));
    const position = accesses === undefined ? 0 : Math.floor((index / vcpus) * accesses.length);
    let cursor = Math.floor((index / vcpus) * totalPages);
    if (accesses !== undefined) cursor = tracedPage(accesses[position]!, totalPages);
    else if (program !== 'sequential') cursor = scaleHash(random, totalPages);
    return {
      index,
      program,
      seed: seed >>> 0,
      count: 0,
      accumulator: mix32(random),
      random,
      cursor,
      position,
      writePercent: workload.writePercent,
      ratePerSecond,
      constants,
    };
  });
}
