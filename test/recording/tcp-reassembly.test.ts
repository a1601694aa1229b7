// Segments in any order, repeated, overlapping and around the end of the sequence numbers give the bytes that were sent.
import fc from 'fast-check';
import t from 'tap';
import { PENDING_LIMIT_BYTES, TcpReassembly } from '../../src/recording/tcp-reassembly.ts';

const SEED = 20180418;

function open() {
  const received: number[] = [];
  return { received, stream: new TcpReassembly((bytes) => received.push(...bytes)) };
}

t.test('any order, any overlap, any first number', async () => {
  const shuffled = fc
    .record({
      bytes: fc.uint8Array({ minLength: 1, maxLength: 200 }),
      first: fc.oneof(fc.nat(2 ** 31 - 1), fc.constantFrom(2 ** 32 - 1, 2 ** 32 - 5, 2 ** 31 - 3, 0)),
      extra: fc.array(fc.tuple(fc.nat(199), fc.nat(50)), { maxLength: 10 }),
      pieceBytes: fc.integer({ min: 1, max: 60 }),
    })
    .chain((given) => {
      const { bytes, extra, pieceBytes } = given;
      const starts = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, i) => i * pieceBytes);
      const cover = starts.map((start): [number, number] => [start, pieceBytes]);
      const segments = [...cover, ...extra.filter(([start]) => start < bytes.length)];
      const order = fc.shuffledSubarray(segments, { minLength: segments.length });
      return order.map((inOrder) => ({ ...given, segments: inOrder }));
    });
  fc.assert(
    fc.property(shuffled, ({ bytes, first, segments }) => {
      const { received, stream } = open();
      stream.begin(first);
      for (const [start, lengthBytes] of segments) {
        const payload = bytes.slice(start, start + lengthBytes);
        stream.push((first + 1 + start) % 2 ** 32, payload);
        payload.fill(0xee); // what is kept must be a copy
      }
      const pushedBytes = segments.reduce(
        (sum, [start, lengthBytes]) => sum + Math.min(lengthBytes, bytes.length - start),
        0,
      );
      return (
        Buffer.from(received).equals(bytes) &&
        stream.missingBytes === 0 &&
        stream.repeatedBytes === pushedBytes - bytes.length
      );
    }),
    { seed: SEED, numRuns: 2000 },
  );
});

t.test('without a SYN the first segment is the beginning', async (t) => {
  const { received, stream } = open();
  stream.push(5000, Uint8Array.of(1, 2));
  stream.push(5002, Uint8Array.of(3));
  t.strictSame(received, [1, 2, 3]);
});

t.test('a hole holds back what is behind it', async (t) => {
  const { received, stream } = open();
  stream.begin(99);
  stream.push(100, Uint8Array.of(1));
  stream.push(104, Uint8Array.of(5));
  t.strictSame(received, [1]);
  t.equal(stream.missingBytes, 3);
  t.equal(stream.isStuck, false);
  stream.push(101, Uint8Array.of(2, 3, 4));
  t.strictSame(received, [1, 2, 3, 4, 5]);
  t.equal(stream.missingBytes, 0);
});

t.test('what is held back is bounded', async (t) => {
  const { stream } = open();
  stream.begin(0);
  const piece = new Uint8Array(2 ** 20);
  for (let count = 0; count * piece.length <= PENDING_LIMIT_BYTES; count += 1) {
    t.equal(stream.isStuck, false);
    stream.push(2 + count * piece.length, piece);
  }
  t.equal(stream.isStuck, true);
});
