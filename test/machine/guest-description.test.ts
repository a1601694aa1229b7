// Guest descriptions: there and back, and everything that is wrong with bad ones.

import fc from 'fast-check';
import msgpack from 'msgpack-lite';
import t from 'tap';
import {
  decodeGuestDescription,
  encodeGuestDescription,
  type GuestDescription,
} from '../../src/machine/guest-description.ts';
import { findMsgpackFault } from '../../src/machine/msgpack-limits.ts';
import { SMALL_BLOCKS, SMALL_TRACE } from './small-guest.ts';

const PLAIN: GuestDescription = {
  fill: { kind: 'pattern', seed: 7, zeroPercent: 25 },
  blocks: [...SMALL_BLOCKS, { name: 'big', lengthBytes: 2 ** 40, hostPageBytes: 2 ** 34, kind: 'system' }],
  mmu: 'hash',
  guestPageBytes: 16 * 2 ** 20,
};
const FILE: GuestDescription = {
  ...PLAIN,
  fill: { kind: 'file', sha256: 'ab'.repeat(32), lengthBytes: 2 ** 40 + 1 },
  trace: SMALL_TRACE,
};

/** The first description with the field at `path` replaced, or removed. */
function changed(base: GuestDescription, path: readonly string[], value?: unknown): Buffer {
  const root = msgpack.decode(encodeGuestDescription(base)) as Record<string, unknown>;
  let at = root;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
  if (value === undefined) delete at[path.at(-1)!];
  else at[path.at(-1)!] = value;
  return msgpack.encode(root);
}

t.test('what is encoded is decoded', (t) => {
  t.same(decodeGuestDescription(encodeGuestDescription(PLAIN)), PLAIN);
  const decoded = decodeGuestDescription(encodeGuestDescription(FILE));
  t.same({ ...decoded, trace: undefined }, { ...FILE, trace: undefined });
  t.same([...decoded.trace!.accesses], [...SMALL_TRACE.accesses]);
  t.equal(decoded.trace!.pageCount, 200);
  t.ok(decoded.trace!.accesses.buffer instanceof SharedArrayBuffer, 'ready for vCPU threads');
  t.end();
});

t.test('each bad field is refused by its name', (t) => {
  for (const [message, bytes] of [
    [/lacks 'fill'/, changed(PLAIN, ['fill'])],
    [/unknown field 'colour'/, changed(PLAIN, ['colour'], 1)],
    [/fill\.kind must be pattern or file/, changed(PLAIN, ['fill'], null)],
    [/fill\.kind must be pattern or file, is "x"/, changed(PLAIN, ['fill', 'kind'], 'x')],
    [/fill lacks 'sha256'/, changed(PLAIN, ['fill', 'kind'], 'file')],
    [/fill\.seed must be an integer/, changed(PLAIN, ['fill', 'seed'], -1)],
    [/fill\.seed must be an integer/, changed(PLAIN, ['fill', 'seed'], 2 ** 32)],
    [/fill\.zeroPercent .* to 100/, changed(PLAIN, ['fill', 'zeroPercent'], 101)],
    [/sha256 must be 64 hex digits/, changed(FILE, ['fill', 'sha256'], 'AB'.repeat(32))],
    [/fill\.sha256 must be a text/, changed(FILE, ['fill', 'sha256'], 5)],
    [/blocks must be a list/, changed(PLAIN, ['blocks'], [])],
    [/blocks must be a list/, changed(PLAIN, ['blocks'], {})],
    [/blocks\[1\] must be a map/, changed(PLAIN, ['blocks', '1'], 'pc.ram')],
    [/blocks\[0\]\.name must be a text/, changed(PLAIN, ['blocks', '0', 'name'], 1)],
    [/blocks\[0\]\.lengthBytes/, changed(PLAIN, ['blocks', '0', 'lengthBytes'], 0.5)],
    [/blocks\[0\]\.hostPageBytes/, changed(PLAIN, ['blocks', '0', 'hostPageBytes'], 0)],
    [/blocks\[0\]\.kind must be system or device/, changed(PLAIN, ['blocks', '0', 'kind'], 'rom')],
    [/mmu must be radix or hash/, changed(PLAIN, ['mmu'], 'none')],
    [/guestPageBytes must be an integer/, changed(PLAIN, ['guestPageBytes'], '16M')],
    [/trace must be a map/, changed(FILE, ['trace'], 1)],
    [/trace\.pageCount/, changed(FILE, ['trace', 'pageCount'], 0)],
    [/trace\.accesses must be bytes/, changed(FILE, ['trace', 'accesses'], Buffer.alloc(5))],
    [/trace\.accesses must be bytes/, changed(FILE, ['trace', 'accesses'], [1, 2])],
    [/access \d+ of the trace goes to page \d+ of 199/, changed(FILE, ['trace', 'pageCount'], 199)],
    [/the description must be a map/, msgpack.encode([1])],
    [/at most 16777216/, Buffer.alloc(16 * 2 ** 20 + 1)],
  ] as const) {
    t.throws(() => decodeGuestDescription(bytes), {
      name: 'GuestError',
      code: 'bad-guest-description',
      message,
    });
  }
  const accesses = new Uint32Array(4 * 2 ** 20 + 1);
  t.throws(() => encodeGuestDescription({ ...PLAIN, trace: { pageCount: 1, accesses } }), {
    code: 'guest-description-too-large',
  });
  t.end();
});

t.test('cut anywhere, or with a byte too many, it is refused', (t) => {
  const bytes = encodeGuestDescription(PLAIN);
  for (let cut = 0; cut < bytes.length; cut += 1) {
    t.throws(
      () => decodeGuestDescription(bytes.subarray(0, cut)),
      { code: 'bad-guest-description' },
      `cut at ${cut}`,
    );
  }
  t.throws(() => decodeGuestDescription(Buffer.concat([bytes, Buffer.of(0xc0)])), {
    message: /1 bytes follow/,
  });
  t.end();
});

t.test('a changed byte gives a description or a coded error, nothing else', (t) => {
  const bytes = encodeGuestDescription(FILE);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
      const bad = Buffer.from(bytes);
      bad[at] = value;
      try {
        decodeGuestDescription(bad);
      } catch (error) {
        return (error as { code?: string }).code === 'bad-guest-description';
      }
      return true;
    }),
    { seed: 9, numRuns: 3000 },
  );
  t.end();
});

t.test('lengths that lie are refused before memory is spent on them', (t) => {
  const limits = { depth: 4, entries: 1024 };
  for (const [message, hex] of [
    [/33554431 entries at byte 0/, 'dd01ffffff'],
    [/4294967295 entries/, 'dfffffffff'],
    [/65535 entries/, 'dcffff'],
    [/ends beyond/, 'c6ffffffff'],
    [/ends beyond/, 'a5414141'],
    [/ends beyond/, 'db0000'],
    [/ends early/, ''],
    [/ends early/, '9201'],
    [/deeper than 4 at byte 4/, '9191919191c0'],
    [/an extension/, 'c70100ff'],
    [/an extension/, 'd401ff'],
    [/no type at all/, 'c1'],
    [/2 bytes follow/, 'c0c0c0'],
  ] as const) {
    t.match(findMsgpackFault(Buffer.from(hex, 'hex'), limits), message, hex);
  }
  t.end();
});

t.test('whatever the library writes within the limits is let through', (t) => {
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', maxDepth: 3 },
      fc.oneof(
        fc.integer(),
        fc.double(),
        fc.string(),
        fc.boolean(),
        fc.constant(null),
        fc.string({ minLength: 300 }),
      ),
      fc.array(tie('value'), { maxLength: 20 }),
      fc.dictionary(fc.string(), tie('value'), { maxKeys: 20 }),
    ),
  }));
  fc.assert(
    fc.property(value, (v) => findMsgpackFault(msgpack.encode(v), { depth: 4, entries: 1024 }) === undefined),
    { seed: 10, numRuns: 500 },
  );
  t.end();
});
