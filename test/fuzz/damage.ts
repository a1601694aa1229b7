// Damages a stream that was cut into records: the operations, as plain numbers that fast-check makes and shrinks.
import fc from 'fast-check';
import { encodeCommand } from '../../src/protocol/commands.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import { type CutRecord, cutPackage } from './cut-records.ts';
import { numbersFrom } from './fuzz-input.ts';

/** One damage: what is done, to which record, and how. */
export interface Damage {
  readonly kind: (typeof DAMAGES)[number];
  readonly record: number;
  readonly how: number;
}

const DAMAGES = [
  'drop',
  'repeat',
  'move',
  'truncate',
  'flip',
  'overwrite',
  'insert',
  'splice',
  'noise',
  'page-word',
  'in-package',
] as const;

/** Numbers that lengths, offsets and counts go wrong at. */
const TELLING = [
  0n,
  1n,
  2n,
  3n,
  4n,
  7n,
  8n,
  12n,
  13n,
  16n,
  0x7fn,
  0xffn,
  0x100n,
  0x1ffn,
  0x200n,
  0x201n,
  0xfffn,
  0x1000n,
  0x1001n,
  0x3000n,
  0x4000n,
  0x5000n,
  0x8000n,
  0xffffn,
  0x1_0000n,
  0x4000000n,
  0x4000001n,
  0x7fff_ffffn,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x1f_ffff_ffff_ffffn,
  0x20_0000_0000_0000n,
  0x20_0000_0000_0001n,
  0x123_4567_89ab_cdefn,
  0x8000_0000_0000_0001n,
  0xffff_ffff_ffff_ffffn,
];
const WIDTHS = [1, 2, 4, 8];
const PAGE_FLAGS = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x22, 0x28, 0x30, 0x0a, 0x40, 0x80, 0x100, 0x200];
/** Most of a record that is worth damaging stands at its front. */
const HEAD_BYTES = 40;

/** Up to six damages; none leaves a valid stream, to be cut and scheduled in other ways. */
export const damages: fc.Arbitrary<Damage[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(...DAMAGES),
    record: fc.nat(0xffff),
    how: fc.nat(0x7fff_ffff),
  }),
  { maxLength: 6 },
);

/** The records after all damages, in order. `pool` holds records that may be put in, and tails that may follow. */
export function damage(
  records: readonly CutRecord[],
  list: readonly Damage[],
  pool: readonly CutRecord[],
): CutRecord[] {
  return list.reduce<CutRecord[]>((damaged, one) => apply(damaged, one, pool), [...records]);
}

function apply(records: CutRecord[], { kind, record, how }: Damage, pool: readonly CutRecord[]): CutRecord[] {
  if (records.length === 0) return pool.length === 0 ? [] : [pool[record % pool.length]!];
  const at = record % records.length;
  const chosen = records[at]!;
  const other = how % records.length;
  const with_ = (bytes: Uint8Array): CutRecord[] => records.toSpliced(at, 1, { ...chosen, bytes });
  switch (kind) {
    case 'drop':
      return records.toSpliced(at, 1);
    case 'repeat':
      return records.toSpliced(other, 0, chosen);
    case 'move':
      return records.toSpliced(at, 1).toSpliced(other, 0, chosen);
    case 'truncate':
      return with_(chosen.bytes.slice(0, how % (chosen.bytes.length + 1))).slice(0, at + 1);
    case 'flip':
      return with_(flipped(chosen.bytes, how));
    case 'overwrite':
      return with_(overwritten(chosen.bytes, how));
    case 'insert':
      return records.toSpliced(at, 0, pool[how % pool.length]!);
    case 'splice':
      return [...records.slice(0, at), ...pool.slice(how % pool.length)];
    case 'noise':
      return records.toSpliced(at, 0, { name: 'noise', bytes: noise(how) });
    case 'page-word':
      return with_(rewordedPage(chosen, how));
    case 'in-package':
      return damagedPackage(records, how, pool);
  }
}

function flipped(bytes: Uint8Array, how: number): Uint8Array {
  const changed = bytes.slice();
  if (changed.length === 0) return changed;
  const within = how % 8 === 0 ? changed.length : Math.min(changed.length, HEAD_BYTES);
  const bit = (how >> 3) % (8 * within);
  changed[bit >> 3]! ^= 1 << (bit & 7);
  return changed;
}

function overwritten(bytes: Uint8Array, how: number): Uint8Array {
  const changed = bytes.slice();
  const next = numbersFrom(how);
  const width = WIDTHS[next(WIDTHS.length)]!;
  const at = next(Math.max(1, Math.min(changed.length, HEAD_BYTES) - width + 1));
  let value = TELLING[next(TELLING.length)]!;
  for (let index = at + width - 1; index >= at; index -= 1) {
    if (index < changed.length) changed[index] = Number(value & 0xffn);
    value >>= 8n;
  }
  return changed;
}

function noise(how: number): Uint8Array {
  const next = numbersFrom(how);
  return Uint8Array.from({ length: 1 + next(16) }, () => next(256));
}

/** Another offset near by, or other flags, in the word that a record of RAM begins with. */
function rewordedPage({ bytes }: CutRecord, how: number): Uint8Array {
  if (bytes.length < 8) return flipped(bytes, how);
  const changed = bytes.slice();
  if (how % 2 === 0) {
    const flags = PAGE_FLAGS[(how >> 1) % PAGE_FLAGS.length]!;
    changed[6] = (changed[6]! & 0xf0) | (flags >> 8);
    changed[7] = flags & 0xff;
  } else {
    const page = (changed[5]! << 4) | (changed[6]! >> 4);
    const moved = (page + ((how >> 1) % 9) - 4) & 0xfff;
    changed[5] = moved >> 4;
    changed[6] = (changed[6]! & 0x0f) | ((moved & 0xf) << 4);
  }
  return changed;
}

/** Damages what is in a package and gives it its new length, so that the damage is found inside. */
function damagedPackage(records: CutRecord[], how: number, pool: readonly CutRecord[]): CutRecord[] {
  const at = records.findIndex(({ name }) => name === 'PACKAGE');
  if (at < 1) return records;
  const next = numbersFrom(how);
  const kind = DAMAGES[next(DAMAGES.length - 1)]!;
  const inner = cutPackage(records[at]!.bytes);
  const blob = joinBytes(
    apply(inner, { kind, record: next(0xffff), how: next(0x7fff_ffff) }, pool).map(({ bytes }) => bytes),
  );
  const command = { name: 'PACKAGED', bytes: encodeCommand('PACKAGED', { length: blob.length }) };
  return records.toSpliced(at - 1, 2, command, { name: 'PACKAGE', bytes: blob });
}
