// Frames from a hostile feed: random bytes, damaged frames, huge numbers. The model takes them, bounded, and never throws.
import msgpack from 'msgpack-lite';
import t from 'tap';
import { encodeFrame } from '../../src/feed/feed-codec.ts';
import { mix32 } from '../../src/machine/mix32.ts';
import { describeMoment } from '../../src/watch/model/describe-now.ts';
import { readFrame } from '../../src/watch/model/read-frame.ts';
import { RunModel } from '../../src/watch/model/run-model.ts';
import { SAMPLE_FRAMES } from '../feed/sample-frames.ts';
import { hostileFrames } from './hostile-feed.ts';
import { syntheticRun } from './synthetic-run.ts';

const decode = (bytes: Uint8Array): unknown => msgpack.decode(bytes);

function take(run: RunModel, bytes: Uint8Array): void {
  const frame = readFrame(bytes, decode);
  if (frame.kind === 'refused') run.refuse(frame.fault);
  else if (frame.kind !== 'watch') run.take(frame);
}

t.test('damaged frames are taken or refused, never thrown at anybody', async (t) => {
  const good = syntheticRun({ entries: 256 });
  const run = new RunModel();
  for (const bytes of good) take(run, bytes);
  for (let i = 0; i < 20_000; i += 1) {
    const bytes = Buffer.from(good[mix32(i) % good.length]!);
    for (let n = 0; n <= mix32(i + 1) % 3; n += 1) bytes[mix32(i * 7 + n) % bytes.length] = mix32(i * 13 + n);
    take(run, bytes.subarray(0, mix32(i + 5) % 4 === 0 ? mix32(i) % bytes.length : bytes.length));
  }
  t.ok(run.refused > 1000, `${run.refused} were refused`);
  t.type(describeMoment(run, run.endAt), 'string');
});

t.test('what is too large is refused by its name', async (t) => {
  const refusals = hostileFrames().map((bytes) => {
    const run = new RunModel();
    for (const hello of syntheticRun({ entries: 256 }).slice(0, 1)) take(run, hello);
    const before = run.refused;
    take(run, bytes);
    return run.refused > before ? run.lastRefusal : 'taken';
  });
  t.strictSame(
    refusals.filter((words) => words === 'taken'),
    [],
  );
});

t.test('a frame of each kind that the feed declares is taken', async (t) => {
  for (const frame of SAMPLE_FRAMES) {
    const found = readFrame(encodeFrame(frame), decode);
    t.equal(found.kind, frame.kind, found.kind === 'refused' ? found.fault : frame.kind);
  }
});
