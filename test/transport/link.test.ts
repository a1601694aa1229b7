// Channels over an emulated link, in a time that the test moves: what arrives when, in which order, and who is held back.
import fc from 'fast-check';
import t from 'tap';
import { Link } from '../../src/transport/link.ts';
import type { LinkDirectionSpec } from '../../src/transport/link-spec.ts';
import { FakeChannel, FakeTimer } from './fake-link.ts';

/** 1 byte in 1 ns. */
const SPEC: LinkDirectionSpec = { bytesPerSecond: 1e9, delayNs: 500, queueBytes: 4000 };

function makeLink(spec: Partial<LinkDirectionSpec> = {}, back: Partial<LinkDirectionSpec> = spec) {
  const timer = new FakeTimer();
  const link = new Link({ forward: { ...SPEC, ...spec }, returnPath: { ...SPEC, ...back } }, timer);
  const below = new FakeChannel(timer);
  return { timer, link, below, channel: link.wrap(below) };
}

/** `length` bytes of one value, in guest RAM. */
function ram(length: number, value = 1): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(length)).fill(value);
}

/** Whether a promise is resolved by now. */
async function isResolved(promise: Promise<unknown>): Promise<boolean> {
  let isDone = false;
  void promise.then(() => {
    isDone = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return isDone;
}

t.test('bytes arrive when their last bit would, not before', async (t) => {
  const { timer, below, channel } = makeLink();
  t.equal(channel.fileDescriptor, -1, 'nobody writes past the link');
  t.equal(channel.peer, below.peer);
  t.equal(channel.writeAll([ram(1000)]), undefined, 'the queue takes them at once');
  timer.pass(1499);
  t.strictSame(below.written, []);
  timer.pass(1);
  t.equal(below.bytes.length, 1000);
  t.equal(below.written[0]!.atNs, 1500, '1000 ns to leave, 500 on the way');
  t.equal(timer.atNs, undefined, 'and nothing more to do');
});

t.test('the first bytes of a long write do not wait for the last', async (t) => {
  const { timer, below, channel } = makeLink({ queueBytes: 1e6, bytesPerSecond: 1e8 });
  void channel.writeAll([ram(8000)]);
  timer.pass(200_000);
  t.ok(below.written.length >= 4, 'in quanta');
  t.equal(below.written.at(-1)!.atNs, 80_000 + 500);
  for (const { atNs, bytes } of below.written.slice(0, 1)) t.equal(atNs, bytes.length * 10 + 500);
});

t.test('a page behind megabytes of another channel waits for the queue alone', async (t) => {
  const { timer, link, below, channel } = makeLink({ delayNs: 0, queueBytes: 40_000 });
  const urgentBelow = new FakeChannel(timer);
  const urgent = link.wrap(urgentBelow);
  const pending = channel.writeAll([ram(10_000_000)]);
  timer.pass(100_000);
  t.notOk(await isResolved(pending!));
  t.equal(timer.latestNs, timer.atNs! + 60_000, 'while the queue is full the timer may be late');
  const page = urgent.writeAll([ram(4104, 9)]);
  timer.pass(9_900_000 + 4104);
  t.equal(urgentBelow.bytes.length, 4104);
  const waitedNs = urgentBelow.written.at(-1)!.atNs - 100_000;
  t.ok(waitedNs <= 40_000 + 20_000 + 4104, `waited ${waitedNs} ns: a queue, one quantum, and its own time`);
  t.ok(waitedNs >= 20_000 + 4104, 'but it did wait');
  t.ok(await isResolved(page!));
  t.equal(below.bytes.length, 10_000_000, 'and the other lost nothing by it');
  t.ok(await isResolved(pending!));
});

t.test('a full queue holds the writer back until it has room', async (t) => {
  const { timer, below, channel } = makeLink();
  t.equal(channel.writeAll([ram(4000)]), undefined);
  const pending = channel.writeAll([ram(1000, 2)]);
  timer.pass(999);
  t.notOk(await isResolved(pending!));
  timer.pass(1);
  t.ok(await isResolved(pending!));
  const written = channel.write(ram(1, 3));
  timer.pass(10_000);
  await written;
  t.strictSame([...new Set(below.bytes)], [1, 2, 3]);
  t.equal(below.written.at(-1)!.atNs, 5001 + 500);
});

t.test('a process that did not run in between loses no rate while something waits', async (t) => {
  const { timer, below, channel, link } = makeLink({ delayNs: 0, queueBytes: 2000 });
  void channel.writeAll([ram(10_000)]);
  timer.pass(9000, true);
  t.equal(below.bytes.length, 8000, 'all quanta that would have arrived by now');
  timer.pass(1000);
  t.equal(below.bytes.length, 10_000);
  t.equal(link.figures().forward.carriedBytesPerSecond, 1e9);
  t.equal(link.figures().forward.lateNs?.max, 9000 - 2000, 'the first quantum was due when it had left');
});

t.test('heads are copied, guest RAM stays where it is', async (t) => {
  const { timer, below, channel } = makeLink();
  const head = Uint8Array.of(1, 2);
  const page = ram(2, 3);
  void channel.writeAll([head, page, head]);
  head.fill(9);
  page.fill(4);
  timer.pass(2000);
  t.strictSame([...below.bytes], [1, 2, 4, 4, 1, 2], 'RAM is read when it leaves');
});

t.test('a peer that takes no more stops its own channel, not the others', async (t) => {
  const { timer, link, below, channel } = makeLink({ delayNs: 0 });
  const otherBelow = new FakeChannel(timer);
  const other = link.wrap(otherBelow);
  below.isFull = true;
  void channel.writeAll([ram(100)]);
  timer.pass(100);
  const stuck = channel.writeAll([ram(3000)]);
  timer.pass(1000);
  t.notOk(await isResolved(stuck ?? Promise.resolve()), 'nothing more is taken for it');
  void other.writeAll([ram(50, 2)]);
  timer.pass(50);
  t.equal(otherBelow.bytes.length, 50);
  below.isFull = false;
  await below.release();
  timer.pass(2999);
  t.equal(below.bytes.length, 100, 'what waited is sent from then on');
  timer.pass(1);
  t.equal(below.bytes.length, 3100);
  t.ok(await isResolved(stuck!));
  t.equal(link.figures().forward.heldBackNs, 1050, 'and it is told');
});

t.test('what is read is held for its own direction', async (t) => {
  const { timer, below, channel } = makeLink({}, { bytesPerSecond: 1e8, delayNs: 700, queueBytes: 4000 });
  const seen: { atNs: number; bytes: number[] }[] = [];
  let hasEnded = 0;
  channel.read({
    data: (input, start, end) => void seen.push({ atNs: timer.now, bytes: [...input.subarray(start, end)] }),
    end: () => {
      hasEnded = timer.now;
    },
    error: (error) => t.fail(error.message),
  });
  const buffer = Uint8Array.of(0, 1, 2, 3, 0);
  t.equal(below.reader!.data(buffer, 1, 4), undefined);
  buffer.fill(9); // the channel below uses it again
  below.reader!.end();
  timer.pass(729);
  t.strictSame(seen, []);
  timer.pass(1);
  t.strictSame(seen, [{ atNs: 730, bytes: [1, 2, 3] }], '3 bytes of 10 ns, and 700 ns');
  t.equal(hasEnded, 730, 'the end comes behind them');
});

t.test('a full queue makes nothing late that comes back', async (t) => {
  const { timer, below, channel } = makeLink({ delayNs: 100_000 });
  channel.read({ data() {}, end() {}, error() {} });
  void channel.writeAll([ram(1_000_000)]);
  timer.pass(110_000);
  below.reader!.data(new Uint8Array(10), 0, 10);
  timer.pass(90_000);
  t.equal(timer.latestNs, 210_010);
  t.ok(timer.atNs! < 210_010, 'though bulk is due before it');
});

t.test('a full queue on the way back holds the peer back', async (t) => {
  const { timer, below, channel } = makeLink({}, { queueBytes: 1500 });
  let bytes = 0;
  channel.read({
    data(_input, start, end) {
      bytes += end - start;
    },
    end() {},
    error() {},
  });
  t.equal(below.reader!.data(new Uint8Array(1400), 0, 1400), undefined);
  const held = below.reader!.data(new Uint8Array(1400), 0, 1400);
  timer.pass(1299);
  t.notOk(await isResolved(held as Promise<void>));
  timer.pass(1);
  t.ok(await isResolved(held as Promise<void>));
  timer.pass(5000);
  t.equal(bytes, 2800);
});

t.test('a reader that holds on to bytes gets no more before it is done', async (t) => {
  const { timer, below, channel } = makeLink();
  const seen: number[] = [];
  let done: (() => void) | undefined;
  channel.read({
    data(input, start) {
      seen.push(input[start]!);
      return new Promise<void>((resolve) => {
        done = resolve;
      });
    },
    end: () => void seen.push(99),
    error() {},
  });
  for (const value of [1, 2]) below.reader!.data(Uint8Array.of(value), 0, 1);
  below.reader!.end();
  timer.pass(10_000);
  t.strictSame(seen, [1]);
  for (const expected of [
    [1, 2],
    [1, 2, 99],
  ]) {
    done!();
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    timer.pass(10_000);
    t.strictSame(seen, expected);
  }
});

t.test('the end goes behind all that was written', async (t) => {
  const { timer, below, channel } = makeLink();
  void channel.writeAll([ram(1000)]);
  const ended = channel.end();
  timer.pass(1499);
  t.strictSame(below.calls, []);
  timer.pass(1);
  await ended;
  t.strictSame(below.calls, ['end at 1500']);
});

t.test('a broken channel fails those who wait, and all writes after', async (t) => {
  const { timer, below, channel } = makeLink({ delayNs: 0 });
  below.isFull = true;
  void channel.writeAll([ram(100)]);
  timer.pass(100);
  const waiting = channel.writeAll([ram(10)])!;
  const broken = new Error('broken');
  const rejected = t.rejects(waiting, broken);
  await below.release(broken);
  await rejected;
  await t.rejects(channel.write(ram(1)), broken);
  await channel.end();
  t.strictSame(below.calls, ['end at 100'], 'which nothing has to go before any more');
  const failed: Error[] = [];
  channel.read({ data() {}, end() {}, error: (error) => void failed.push(error) });
  below.reader!.error(broken);
  timer.pass(501);
  t.strictSame(failed, [broken]);
});

t.test('a dropped channel forgets what is under way', async (t) => {
  const { timer, below, channel } = makeLink();
  let bytes = 0;
  channel.read({
    data(_input, start, end) {
      bytes += end - start;
    },
    end() {},
    error() {},
  });
  void channel.writeAll([ram(4000)]);
  const waiting = t.rejects(channel.writeAll([ram(10)])!, { code: 'connection-broken' });
  below.reader!.data(new Uint8Array(10), 0, 10);
  channel.destroy();
  await waiting;
  timer.pass(100_000);
  t.strictSame([below.bytes.length, bytes], [0, 0]);
  t.strictSame(below.calls, ['destroy']);
});

t.test('whatever is written when, it arrives in order, whole, and never faster than the rate', async () => {
  const step = fc.record({
    pauseNs: fc.nat(20_000),
    channel: fc.nat(1),
    lengths: fc.array(fc.integer({ min: 1, max: 6000 }), { maxLength: 6 }),
    isPreempted: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 25 }),
      fc.integer({ min: 1500, max: 100_000 }),
      async (steps, queueBytes) => {
        const { timer, link, below, channel } = makeLink({ queueBytes });
        const otherBelow = new FakeChannel(timer);
        const ends = [
          { channel, below, sent: [] as Buffer[] },
          { channel: link.wrap(otherBelow), below: otherBelow, sent: [] as Buffer[] },
        ];
        let value = 0;
        for (const { pauseNs, channel: which, lengths, isPreempted } of steps) {
          const end = ends[which]!;
          const pieces = lengths.map((length) => {
            value = (value + 1) % 256;
            return ram(length, value);
          });
          end.sent.push(...pieces.map((piece) => Buffer.from(piece)));
          void end.channel.writeAll(pieces);
          timer.pass(pauseNs, isPreempted);
        }
        timer.pass(1e9);
        const deliveries = ends.flatMap((end) => end.below.written).sort((a, b) => a.atNs - b.atNs);
        // By any moment no more has come than a link at 1 byte in 1 ns can have carried since the first write.
        let carried = 0;
        for (const { atNs, bytes } of deliveries) {
          carried += bytes.length;
          if (carried > atNs - SPEC.delayNs) return false;
        }
        return ends.every((end) => Buffer.compare(end.below.bytes, Buffer.concat(end.sent)) === 0);
      },
    ),
    { seed: 4, numRuns: 200 },
  );
});
