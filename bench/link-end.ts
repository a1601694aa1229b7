// One end of the bench of the emulated link: sends batches of pages over it, or takes what comes.
//
//   link-end take    link-end echo    link-end send PORT LINK MS    link-end ping PORT LINK RTT COUNT
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseLink } from '../src/cli/link-options.ts';
import { RamImage } from '../src/machine/ram-block.ts';
import { monotonicNs } from '../src/monotonic-clock.ts';
import { TARGET_PAGE_BYTES } from '../src/protocol/ram-records.ts';
import { RecordBatch } from '../src/source/record-batch.ts';
import { summariseRoundTrips } from '../src/telemetry/round-trips.ts';
import type { Channel } from '../src/transport/channel.ts';
import { Link } from '../src/transport/link.ts';
import { connectChannel, listenForChannels } from '../src/transport/open.ts';

const RAM_BYTES = 64 * 2 ** 20;
const PING_BYTES = 16;

function tell(values: object): void {
  process.stdout.write(`${JSON.stringify(values)}\n`);
}

async function accept(): Promise<Channel> {
  const listener = await listenForChannels({ scheme: 'tcp', host: '127.0.0.1', port: 0 });
  process.stderr.write(`listening ${listener.uri.split(':').at(-1)}\n`);
  const channel = await listener.accept();
  listener.close();
  return channel;
}

/** Drops what comes, and tells how fast it came: by its own clock, without what came first, whose time is not known. */
async function take(): Promise<void> {
  const channel = await accept();
  let [firstNs, lastNs, bytes] = [0, 0, 0];
  await new Promise<void>((resolve, reject) => {
    channel.read({
      data(_input, start, end) {
        lastNs = monotonicNs();
        if (firstNs === 0) firstNs = lastNs;
        else bytes += end - start;
      },
      end: resolve,
      error: reject,
    });
  });
  tell({ bytesPerSecond: (bytes * 1e9) / (lastNs - firstNs) });
  await channel.end();
}

async function echo(): Promise<void> {
  const channel = await accept();
  await new Promise<void>((resolve, reject) => {
    channel.read({
      data: (input, start, end) => channel.write(input.slice(start, end)),
      end: resolve,
      error: reject,
    });
  });
  await channel.end();
}

/** Batches as the source of a migration makes them, of pages that are not zero. */
async function send(channel: Channel, durationMs: number): Promise<void> {
  const name = 'ram0';
  const ram = RamImage.allocate(
    [{ name, lengthBytes: RAM_BYTES, hostPageBytes: TARGET_PAGE_BYTES, kind: 'system' }],
    'present',
  );
  const block = ram.blocks[0]!;
  for (let page = 0; page < block.targetPageCount; page += 1) {
    block.words(0)[(page * TARGET_PAGE_BYTES) / 4] = 1;
  }
  const batch = new RecordBatch();
  const endMs = performance.now() + durationMs;
  for (let page = 0; performance.now() < endMs; ) {
    for (; !batch.isFull; page = (page + 1) % block.targetPageCount) batch.appendPage(block, page);
    const pending = channel.writeAll(batch.take().pieces);
    await nextTurn();
    await pending;
  }
}

async function ping(channel: Channel, count: number): Promise<number[]> {
  let answered!: () => void;
  let receivedBytes = 0;
  channel.read({
    data(_input, start, end) {
      receivedBytes += end - start;
      if (receivedBytes % PING_BYTES === 0) answered();
    },
    end: () => undefined,
    error: (error) => {
      throw error;
    },
  });
  const roundTripsNs: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const beganNs = monotonicNs();
    const answer = new Promise<void>((resolve) => {
      answered = resolve;
    });
    await channel.write(new Uint8Array(PING_BYTES));
    await answer;
    roundTripsNs.push(monotonicNs() - beganNs);
    await new Promise((resolve) => setTimeout(resolve, 2)); // as seldom as a guest that faults now and then
  }
  return roundTripsNs;
}

const [role, port, rate, ...rest] = process.argv.slice(2);
if (role === 'take') {
  await take();
} else if (role === 'echo') {
  await echo();
} else {
  const connected = await connectChannel({ scheme: 'tcp', host: '127.0.0.1', port: Number(port) }, 5000);
  if (role === 'send') {
    const link = rate === 'none' ? undefined : new Link(parseLink({ rate: rate!, rtt: '0us' }));
    const channel = link?.wrap(connected) ?? connected;
    const before = process.cpuUsage();
    await send(channel, Number(rest[0]));
    await channel.end();
    const { user, system } = process.cpuUsage(before);
    tell({ cpuSeconds: (user + system) / 1e6, ...link?.figures() });
  } else if (role === 'ping') {
    const link = rate === 'none' ? undefined : new Link(parseLink({ rate: rate!, rtt: rest[0]! }));
    const channel = link?.wrap(connected) ?? connected;
    const roundTripsNs = await ping(channel, Number(rest[1]));
    await channel.end();
    tell({ ...summariseRoundTrips(roundTripsNs), ...link?.figures() });
  } else {
    throw new RangeError(`expected take, echo, send or ping, found ${role}`);
  }
}
