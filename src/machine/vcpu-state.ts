// The state of a vCPU: what travels when its guest migrates.

import { GuestError } from '../errors.ts';
import type { ZipfConstants } from './zipf.ts';

/** Programs that a vCPU can run; the index is the code in an encoded state. */
export const GUEST_PROGRAM_NAMES = [
  'sequential',
  'random',
  'zipf',
  'pointer-chase',
  'idle',
  'trace',
] as const;
/** Name of a program. */
export type GuestProgramName = (typeof GUEST_PROGRAM_NAMES)[number];

/** vCPUs of one guest at most: each owns one lane of 64 bytes in every 4 KiB page. */
export const MAX_VCPUS = 64;
/** Bytes of an encoded state. */
export const VCPU_STATE_BYTES = 64;

const FORMAT_VERSION = 1;
const UINT32_END = 2 ** 32;

/** All that a vCPU knows. It changes with each access, and only with it. */
export interface VcpuState {
  readonly index: number;
  readonly program: GuestProgramName;
  /** The guest's seed, the same for all its vCPUs. */
  readonly seed: number;
  /** Accesses done. */
  count: number;
  /** Digest of all that was read so far, and what is written next. */
  accumulator: number;
  random: number;
  /** The page touched next. */
  cursor: number;
  /** Index in the trace of the access done next; 0 for other programs. */
  position: number;
  /** Writes per hundred accesses; a trace decides for itself. */
  readonly writePercent: number;
  /** Accesses per second; 0 is flat out. */
  readonly ratePerSecond: number;
  /** Used by `zipf` only. */
  readonly constants: ZipfConstants;
}

/** Encodes a state, big-endian, in `VCPU_STATE_BYTES` bytes. Throws GuestError `bad-vcpu-state`. */
export function encodeVcpuState(state: VcpuState): Uint8Array {
  const fault = findFault(state);
  if (fault !== undefined) throw bad(fault);
  const bytes = new Uint8Array(VCPU_STATE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, FORMAT_VERSION);
  view.setUint8(2, state.index);
  view.setUint8(3, GUEST_PROGRAM_NAMES.indexOf(state.program));
  view.setUint32(4, state.seed);
  view.setUint32(8, Math.floor(state.count / UINT32_END));
  view.setUint32(12, state.count % UINT32_END);
  view.setUint32(16, state.accumulator);
  view.setUint32(20, state.random);
  view.setUint32(24, state.cursor);
  view.setUint32(28, state.position);
  view.setUint32(32, state.writePercent);
  view.setUint32(36, state.ratePerSecond);
  view.setFloat64(40, state.constants.zeta);
  view.setFloat64(48, state.constants.eta);
  view.setFloat64(56, state.constants.secondRankEnd);
  return bytes;
}

/** Decodes a state and checks each field. Throws GuestError `bad-vcpu-state`. */
export function decodeVcpuState(bytes: Uint8Array): VcpuState {
  if (bytes.length !== VCPU_STATE_BYTES) {
    throw bad(`expected ${VCPU_STATE_BYTES} bytes, got ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint16(0) !== FORMAT_VERSION) {
    throw bad(`expected format version ${FORMAT_VERSION}, got ${view.getUint16(0)}`);
  }
  const program = GUEST_PROGRAM_NAMES[view.getUint8(3)];
  if (program === undefined) throw bad(`no program has the code ${view.getUint8(3)}`);
  const state: VcpuState = {
    index: view.getUint8(2),
    program,
    seed: view.getUint32(4),
    count: view.getUint32(8) * UINT32_END + view.getUint32(12),
    accumulator: view.getUint32(16),
    random: view.getUint32(20),
    cursor: view.getUint32(24),
    position: view.getUint32(28),
    writePercent: view.getUint32(32),
    ratePerSecond: view.getUint32(36),
    constants: {
      zeta: view.getFloat64(40),
      eta: view.getFloat64(48),
      secondRankEnd: view.getFloat64(56),
    },
  };
  const fault = findFault(state);
  if (fault !== undefined) throw bad(fault);
  return state;
}

function findFault(state: VcpuState): string | undefined {
  if (!(state.index >= 0 && state.index < MAX_VCPUS)) {
    return `the index must be below ${MAX_VCPUS}, is ${state.index}`;
  }
  if (!Number.isSafeInteger(state.count) || state.count < 0) {
    return `the count must be below 2^53, is ${state.count}`;
  }
  for (const name of ['seed', 'accumulator', 'random', 'cursor', 'position', 'ratePerSecond'] as const) {
    const value = state[name];
    if (!Number.isInteger(value) || value < 0 || value >= UINT32_END) {
      return `${name} must be an unsigned 32-bit number, is ${value}`;
    }
  }
  if (!Number.isInteger(state.writePercent) || state.writePercent < 0 || state.writePercent > 100) {
    return `writePercent must be 0 to 100, is ${state.writePercent}`;
  }
  for (const [name, value] of Object.entries(state.constants)) {
    if (!Number.isFinite(value)) return `${name} must be a finite number, is ${value}`;
  }
  return undefined;
}

function bad(fault: string): GuestError {
  return new GuestError('bad-vcpu-state', `a vCPU state is bad: ${fault}`);
}
