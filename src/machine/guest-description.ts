// What a guest tells about itself when it migrates, so that the destination can go on and prove its RAM.

import msgpack from 'msgpack-lite';
import { GuestError } from '../errors.ts';
import type { GuestFill } from './fill.ts';
import type { GuestTrace } from './guest-programs.ts';
import type { GuestMmu } from './mmu.ts';
import { findMsgpackFault } from './msgpack-limits.ts';
import type { RamBlockSpec } from './ram-block.ts';

/** Contents of the device section `postcopy/guest`. */
export interface GuestDescription {
  readonly fill: GuestFill;
  /** The blocks as the source has them; the destination's host pages may differ. */
  readonly blocks: readonly RamBlockSpec[];
  readonly mmu: GuestMmu;
  readonly guestPageBytes: number;
  readonly trace?: GuestTrace;
}

/** Largest encoded description: room for a trace of 4 million accesses. */
export const MAX_GUEST_DESCRIPTION_BYTES = 16 * 2 ** 20;

const LIMITS = { depth: 4, entries: 1024 } as const;
const UINT32_END = 2 ** 32;
const BYTES_PER_ACCESS = 4;

/** Encodes a description. Throws GuestError `guest-description-too-large`. */
export function encodeGuestDescription(description: GuestDescription): Buffer {
  const { trace, ...rest } = description;
  const traced =
    trace === undefined
      ? {}
      : { trace: { pageCount: trace.pageCount, accesses: accessesToBytes(trace.accesses) } };
  const bytes = msgpack.encode({ ...rest, ...traced });
  if (bytes.length > MAX_GUEST_DESCRIPTION_BYTES) {
    throw new GuestError(
      'guest-description-too-large',
      `a guest description has at most ${MAX_GUEST_DESCRIPTION_BYTES} bytes, this one ${bytes.length}; use a shorter trace`,
    );
  }
  return bytes;
}

/**
 * Decodes a description and checks every field; the trace is put on shared memory, ready for vCPU threads.
 * Throws GuestError `bad-guest-description`.
 */
export function decodeGuestDescription(bytes: Uint8Array): GuestDescription {
  if (bytes.length > MAX_GUEST_DESCRIPTION_BYTES) {
    throw bad(`it has ${bytes.length} bytes, at most ${MAX_GUEST_DESCRIPTION_BYTES} are allowed`);
  }
  const fault = findMsgpackFault(bytes, LIMITS);
  if (fault !== undefined) throw bad(fault);
  const root = record(msgpack.decode(bytes), ['fill', 'blocks', 'mmu', 'guestPageBytes'], 'the description', [
    'trace',
  ]);
  const description = {
    fill: decodeFill(root['fill']),
    blocks: decodeBlocks(root['blocks']),
    mmu: oneOf(root['mmu'], ['radix', 'hash'], 'mmu'),
    guestPageBytes: integer(root['guestPageBytes'], 1, Number.MAX_SAFE_INTEGER, 'guestPageBytes'),
  };
  return root['trace'] === undefined ? description : { ...description, trace: decodeTrace(root['trace']) };
}

function decodeFill(value: unknown): GuestFill {
  const kind = oneOf((value as { kind?: unknown } | null)?.kind, ['pattern', 'file'], 'fill.kind');
  if (kind === 'pattern') {
    const fill = record(value, ['kind', 'seed', 'zeroPercent'], 'fill');
    return {
      kind,
      seed: integer(fill['seed'], 0, UINT32_END - 1, 'fill.seed'),
      zeroPercent: integer(fill['zeroPercent'], 0, 100, 'fill.zeroPercent'),
    };
  }
  const fill = record(value, ['kind', 'sha256', 'lengthBytes'], 'fill');
  const sha256 = text(fill['sha256'], 'fill.sha256');
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw bad('fill.sha256 must be 64 hex digits');
  const lengthBytes = integer(fill['lengthBytes'], 0, Number.MAX_SAFE_INTEGER, 'fill.lengthBytes');
  return { kind, sha256, lengthBytes };
}

function decodeBlocks(value: unknown): RamBlockSpec[] {
  if (!Array.isArray(value) || value.length === 0) throw bad('blocks must be a list with at least one block');
  return value.map((item: unknown, i) => {
    const where = `blocks[${i}]`;
    const block = record(item, ['name', 'lengthBytes', 'hostPageBytes', 'kind'], where);
    return {
      name: text(block['name'], `${where}.name`),
      lengthBytes: integer(block['lengthBytes'], 1, Number.MAX_SAFE_INTEGER, `${where}.lengthBytes`),
      hostPageBytes: integer(block['hostPageBytes'], 1, Number.MAX_SAFE_INTEGER, `${where}.hostPageBytes`),
      kind: oneOf(block['kind'], ['system', 'device'], `${where}.kind`),
    };
  });
}

function decodeTrace(value: unknown): GuestTrace {
  const trace = record(value, ['pageCount', 'accesses'], 'trace');
  const pageCount = integer(trace['pageCount'], 1, 2 ** 31, 'trace.pageCount');
  const bytes = trace['accesses'];
  if (!(bytes instanceof Uint8Array) || bytes.length === 0 || bytes.length % BYTES_PER_ACCESS !== 0) {
    throw bad('trace.accesses must be bytes, 4 for each of at least one access');
  }
  const accesses = accessesFromBytes(bytes);
  const beyond = accesses.findIndex((entry) => entry >>> 1 >= pageCount);
  if (beyond !== -1) {
    throw bad(`access ${beyond} of the trace goes to page ${accesses[beyond]! >>> 1} of ${pageCount}`);
  }
  return { pageCount, accesses };
}

/** Big-endian, as every number on the wire. */
function accessesToBytes(accesses: Uint32Array): Buffer {
  const bytes = Buffer.allocUnsafe(accesses.length * BYTES_PER_ACCESS);
  for (let i = 0; i < accesses.length; i += 1) bytes.writeUInt32BE(accesses[i]!, i * BYTES_PER_ACCESS);
  return bytes;
}

function accessesFromBytes(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const accesses = new Uint32Array(new SharedArrayBuffer(bytes.length));
  for (let i = 0; i < accesses.length; i += 1) accesses[i] = view.getUint32(i * BYTES_PER_ACCESS);
  return accesses;
}

/** A map with all of `keys`, perhaps some of `optional`, and no others. */
function record(value: unknown, keys: readonly string[], where: string, optional: readonly string[] = []) {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(`${where} must be a map`);
  const fields = value as Record<string, unknown>;
  for (const key of keys) if (!Object.hasOwn(fields, key)) throw bad(`${where} lacks '${key}'`);
  for (const key of Object.keys(fields)) {
    if (!keys.includes(key) && !optional.includes(key)) throw bad(`${where} has an unknown field '${key}'`);
  }
  return fields;
}

function integer(value: unknown, min: number, max: number, where: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw bad(`${where} must be an integer from ${min} to ${max}, is ${String(value)}`);
}

function text(value: unknown, where: string): string {
  if (typeof value === 'string') return value;
  throw bad(`${where} must be a text`);
}

function oneOf<const T extends string>(value: unknown, allowed: readonly T[], where: string): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw bad(`${where} must be ${allowed.join(' or ')}, is ${JSON.stringify(value)}`);
  return found;
}

function bad(fault: string): GuestError {
  return new GuestError('bad-guest-description', `a guest description is bad: ${fault}`);
}
