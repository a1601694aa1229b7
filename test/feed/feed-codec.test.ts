// Frames to bytes and back; whatever else comes is refused with an error of ours, in bounded time and memory.
import fc from 'fast-check';
import msgpack from 'msgpack-lite';
import t from 'tap';
import { MigrationError } from '../../src/errors.ts';
import { decodeControl, decodeFrame, encodeControl, encodeFrame } from '../../src/feed/feed-codec.ts';
import { FEED_MESSAGES, type FeedFrame } from '../../src/feed/feed-messages.ts';
import { FeedModel } from '../../src/feed/feed-model.ts';
import { SAMPLE_FRAMES } from './sample-frames.ts';

const SEED = 20251127;

t.test('a frame of each kind comes back as it was', async (t) => {
  t.same(new Set(SAMPLE_FRAMES.map(({ kind }) => kind)), new Set(Object.keys(FEED_MESSAGES)));
  for (const frame of SAMPLE_FRAMES) t.same(decodeFrame(encodeFrame(frame)), frame, frame.kind);
});

t.test('a field of another kind, or none, is refused; one that is not declared is left out', async (t) => {
  for (const frame of SAMPLE_FRAMES) {
    for (const name of Object.keys(frame)) {
      const broken = { ...frame, [name]: { not: 'it' } } as unknown as FeedFrame;
      if (name === 'result') continue; // any object
      t.throws(() => decodeFrame(msgpack.encode(broken)), { code: 'bad-frame' }, `${frame.kind}.${name}`);
    }
    const more = { ...frame, more: 1 } as unknown as FeedFrame;
    t.same(decodeFrame(encodeFrame(more)), frame, frame.kind);
  }
  const [hello] = SAMPLE_FRAMES;
  for (const value of [-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => decodeFrame(encodeFrame({ ...hello, vcpus: value } as FeedFrame)), { code: 'bad-frame' });
  }
});

t.test('bytes that are damaged are decoded or refused, and never crash a model', async (t) => {
  const model = new FeedModel();
  let refused = 0;
  const take = (bytes: Uint8Array): void => {
    try {
      model.take(decodeFrame(bytes));
    } catch (error) {
      if (!(error instanceof MigrationError)) throw error;
      refused += 1;
    }
  };
  const damage = fc.record({
    frame: fc.constantFrom(...SAMPLE_FRAMES),
    at: fc.nat(400),
    byte: fc.nat(255),
    cut: fc.integer({ min: 0, max: 400 }),
  });
  fc.assert(
    fc.property(damage, ({ frame, at, byte, cut }) => {
      const bytes = encodeFrame(frame);
      bytes[at % bytes.length] = byte;
      take(cut < bytes.length ? bytes.subarray(0, cut) : bytes);
    }),
    { seed: SEED, numRuns: 4000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), take), { seed: SEED, numRuns: 4000 });
  t.ok(refused > 4000, `${refused} refused`);
});

t.test('lengths that lie are refused before anything is allocated', async (t) => {
  for (const bytes of [
    [0xdd, 0xff, 0xff, 0xff, 0xff],
    [0xdf, 0xff, 0xff, 0xff, 0xff],
    new Array(200).fill(0x91),
  ]) {
    t.throws(() => decodeFrame(Uint8Array.from(bytes)), { code: 'bad-frame' });
  }
  t.throws(() => decodeFrame(new Uint8Array(4 * 2 ** 20 + 1)), { code: 'frame-too-large' });
  const pages = { ...SAMPLE_FRAMES[3]!, unit: 1 } as FeedFrame;
  const model = new FeedModel();
  model.take(SAMPLE_FRAMES[0]!);
  t.throws(() => model.take(pages), { code: 'bad-runs' }, 'a map of 8 Gi entries');
});

t.test('what a viewer asks for', async (t) => {
  const link = { kind: 'control', action: 'link', rate: '10gbit', rtt: '5ms' } as const;
  t.strictSame(decodeControl(encodeControl(link)), link);
  t.throws(() => decodeControl(msgpack.encode({ kind: 'control', action: 'format' })), { code: 'bad-frame' });
  t.throws(() => decodeControl(msgpack.encode({ ...link, rate: { deep: { er: 1 } } })), {
    code: 'bad-frame',
  });
  t.throws(() => decodeControl(msgpack.encode({ ...link, rate: 'x'.repeat(1024) })), {
    code: 'frame-too-large',
  });
  t.throws(() => decodeControl(msgpack.encode(['control'])), { code: 'bad-frame' });
});
