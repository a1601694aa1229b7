// The return path: any split decodes the same, any bytes end in a coded error, a bitmap's length is not trusted.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { MigrationError } from '../../src/errors.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import { PROFILES } from '../../src/protocol/profile.ts';
import { bitmapBytes, encodeReceivedBitmap } from '../../src/protocol/received-bitmap.ts';
import { ReturnPathDecoder, type ReturnPathRecord } from '../../src/protocol/return-path-decoder.ts';
import { encodeReturnPath } from '../../src/protocol/return-path-messages.ts';
import { parseHex } from '../conformance/vectors.ts';

const SEED = 20180418;
const name = fc.string({ unit: 'binary-ascii', maxLength: 255 });
const message = fc.oneof(
  fc.nat(0xffffffff).map((value) => encodeReturnPath('PONG', { value })),
  fc
    .record({ start: fc.maxSafeNat(), length: fc.nat(0xffffffff), block: name })
    .map((values) => encodeReturnPath('REQ_PAGES_ID', values)),
  fc
    .record({ start: fc.maxSafeNat(), length: fc.nat(0xffffffff) })
    .map((values) => encodeReturnPath('REQ_PAGES', values)),
  fc
    .record({ block: name, pageCount: fc.nat(2000), fill: fc.nat(255) })
    .map(({ block, pageCount, fill }) =>
      joinBytes([
        encodeReturnPath('RECV_BITMAP', { block }),
        encodeReceivedBitmap(new Uint8Array(bitmapBytes(pageCount)).fill(fill)),
      ]),
    ),
  fc
    .record({ hostPage: fc.maxSafeNat(), placementPage: fc.maxSafeNat(), block: name })
    .map((values) => encodeReturnPath('HOST_PAGE', values)),
);

function decode(bytes: Uint8Array, ends: readonly number[]) {
  const records: [ReturnPathRecord, number, number][] = [];
  const decoder = new ReturnPathDecoder((...record) => records.push(record), { profile: 'strict' });
  decoder.extension = true;
  let start = 0;
  for (const end of [...ends, bytes.length]) {
    const piece = bytes.slice(start, end);
    decoder.push(piece);
    piece.fill(0xee);
    start = end;
  }
  decoder.end();
  return records;
}

t.test('any split decodes the same, and the records cover the stream', async (t) => {
  const splits = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }).map(joinBytes), splits, (bytes, fractions) => {
      const ends = fractions.map((fraction) => Math.floor(fraction * bytes.length)).sort((a, b) => a - b);
      const whole = decode(bytes, []);
      assert.deepStrictEqual(decode(bytes, ends), whole);
      let at = 0;
      for (const [, offset, lengthBytes] of whole) {
        assert.equal(offset, at);
        at += lengthBytes;
      }
      assert.equal(at, bytes.length);
    }),
    { seed: SEED, numRuns: 300 },
  );
  t.pass('300 streams');
});

t.test('random bytes end in a coded error that says where', async (t) => {
  const heads = fc.constantFrom(
    '0005 0003 02 "m0"',
    '0000000000000008',
    '0003 000f',
    '4850 0011',
    '4851 0002',
    '0002 0004',
  );
  const soup = fc
    .array(fc.oneof(heads.map(parseHex), fc.uint8Array({ maxLength: 12 })), { maxLength: 12 })
    .map(joinBytes);
  fc.assert(
    fc.property(soup, fc.constantFrom(...PROFILES), fc.boolean(), (bytes, profile, extension) => {
      const decoder = new ReturnPathDecoder(() => undefined, { profile });
      decoder.extension = extension;
      try {
        decoder.push(bytes);
        decoder.end();
      } catch (error) {
        if (!(error instanceof MigrationError)) throw error;
        assert.equal(error.stream, 'return path');
        assert.ok(error.offset! >= 0 && error.offset! <= bytes.length);
      }
    }),
    { seed: SEED, numRuns: 20_000 },
  );
  t.pass('20000 inputs');
});

t.test('the limit of a bitmap is applied before its bits are awaited', async (t) => {
  const head = parseHex('0005 0003 02 "m0" 0000000000000010');
  const open = (bitmapLimitBytes: number): ReturnPathDecoder =>
    new ReturnPathDecoder(() => undefined, { profile: 'strict', bitmapLimitBytes });
  t.throws(() => open(15).push(head), { code: 'bitmap-too-large', offset: 7 });
  const waiting = open(16);
  waiting.push(head);
  t.throws(() => waiting.end(), { code: 'truncated', offset: 7 });
});

t.test('bitmaps are whole 64-bit words', async (t) => {
  t.strictSame([0, 1, 64, 65, 4096].map(bitmapBytes), [0, 8, 8, 16, 512]);
});
