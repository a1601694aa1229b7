// Integers at their limits, and text in both encodings.
import fc from 'fast-check';
import t from 'tap';
import { LimitError, ProtocolError } from '../../src/errors.ts';
import {
  decodeLatin1,
  decodeUtf8,
  encodeLatin1,
  encodeUtf8,
  hex,
  readBe32,
  readBe64,
  writeBe32,
  writeBe64,
} from '../../src/protocol/bytes.ts';

const SEED = { seed: 20180418 };

t.test('integers agree with DataView', async (t) => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.nat(0xffffffff), fc.nat(5), (wide, narrow, at) => {
      const bytes = new Uint8Array(24);
      const view = new DataView(bytes.buffer);
      writeBe64(bytes, at, wide);
      writeBe32(bytes, at + 8, narrow);
      return (
        view.getBigUint64(at) === BigInt(wide) &&
        view.getUint32(at + 8) === narrow &&
        readBe64(bytes, at) === wide &&
        readBe32(bytes, at + 8) === narrow
      );
    }),
    { ...SEED, numRuns: 2000 },
  );
  t.pass('2000 pairs');
});

t.test('64-bit integers end at 2^53 - 1', async (t) => {
  const bytes = new Uint8Array(8);
  writeBe64(bytes, 0, Number.MAX_SAFE_INTEGER);
  t.strictSame(bytes, Uint8Array.of(0, 0x1f, 255, 255, 255, 255, 255, 255));
  t.equal(readBe64(bytes, 0), Number.MAX_SAFE_INTEGER);
  t.throws(() => readBe64(Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0), 0), {
    name: LimitError.name,
    code: 'integer-too-large',
    message: /found 0x20000000000000$/,
  });
});

t.test('32-bit integers keep their top bit', async (t) => {
  t.equal(readBe32(Uint8Array.of(0xff, 0, 0, 1), 0), 0xff000001);
});

t.test('Latin-1 keeps every byte', async (t) => {
  const all = Uint8Array.from({ length: 256 }, (_, value) => value);
  t.strictSame(encodeLatin1(decodeLatin1(all)), all);
  t.throws(() => encodeLatin1('m\u0100'), { name: LimitError.name, code: 'text-not-latin1' });
  t.throws(() => encodeLatin1('😀'), { name: LimitError.name, code: 'text-not-latin1' });
});

t.test('UTF-8 agrees with the platform', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const bytes = encodeUtf8(text);
      return Buffer.compare(bytes, Buffer.from(text, 'utf8')) === 0 && decodeUtf8(bytes) === text;
    }),
    { ...SEED, numRuns: 1000 },
  );
  t.pass('1000 texts');
});

t.test('UTF-8 is cut between characters, and refused when it is none', async (t) => {
  t.equal(decodeUtf8(encodeUtf8('aß😀', 6)), 'aß');
  t.equal(decodeUtf8(encodeUtf8('aß😀', 7)), 'aß😀');
  t.equal(decodeUtf8(encodeUtf8('a\ud800b')), 'a\ufffdb', 'half a character becomes the replacement one');
  for (const bad of [[0xc3], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xff]]) {
    t.throws(() => decodeUtf8(Uint8Array.from(bad)), { name: ProtocolError.name, code: 'bad-utf8' });
  }
});

t.test('hexadecimal', async (t) => {
  t.equal(hex(0), '0x0');
  t.equal(hex(255, 4), '0x00ff');
  t.equal(hex(2 ** 52), '0x10000000000000');
});
