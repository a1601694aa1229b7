// Byte sizes: reading, writing, powers of two.

import fc from 'fast-check';
import t from 'tap';
import { formatByteSize, isPowerOfTwo, parseByteSize } from '../../src/machine/byte-size.ts';

t.test('sizes are read with binary units', (t) => {
  for (const [text, bytes] of [
    ['4096', 4096],
    ['4K', 4096],
    ['16M', 16777216],
    ['16m', 16777216],
    ['1G', 1073741824],
    ['16G', 17179869184],
    ['2T', 2199023255552],
    ['0', 0],
  ] as const) {
    t.equal(parseByteSize(text), bytes, text);
  }
  t.end();
});

t.test('anything else is refused', (t) => {
  for (const text of [
    '',
    'M',
    '1.5G',
    '-1',
    '1e3',
    '4KB',
    ' 4K',
    '4 K',
    '0x1000',
    '9007199254740992',
    '8192T',
  ]) {
    t.throws(() => parseByteSize(text), { name: 'OptionError', code: 'bad-size' }, `'${text}'`);
  }
  t.end();
});

t.test('a written size is read back, in the largest exact unit', (t) => {
  t.equal(formatByteSize(16777216), '16M');
  t.equal(formatByteSize(4097), '4097');
  t.equal(formatByteSize(0), '0');
  t.equal(formatByteSize(3 * 2 ** 50), '3072T');
  fc.assert(
    fc.property(fc.maxSafeNat(), (bytes) => parseByteSize(formatByteSize(bytes)) === bytes),
    { seed: 1 },
  );
  t.end();
});

t.test('powers of two are told apart up to 2^53', (t) => {
  for (let exponent = 0; exponent <= 53; exponent += 1) {
    t.equal(isPowerOfTwo(2 ** exponent), true, `2^${exponent}`);
    if (exponent > 1) t.equal(isPowerOfTwo(2 ** exponent - 1), false, `2^${exponent} - 1`);
  }
  for (const other of [0, -1, -4, 0.5, 2 ** 54, Number.NaN, 2 ** 40 + 2 ** 8]) {
    t.equal(isPowerOfTwo(other), false, String(other));
  }
  t.end();
});
