// The toucher asks for the missing pages in its order, one at a time, and stops when it is told to.
import { EventEmitter, on } from 'node:events';
import t from 'tap';
import { FaultBoard } from '../../src/destination/fault-board.ts';
import { ReturnPathPort } from '../../src/destination/return-path-port.ts';
import { type TouchOrder, touchIndices } from '../../src/destination/touch-order.ts';
import { Toucher } from '../../src/destination/toucher.ts';
import { RamImage } from '../../src/machine/ram-block.ts';
import { monotonicNs } from '../../src/monotonic-clock.ts';
import { ReturnPathDecoder } from '../../src/protocol/return-path-decoder.ts';
import { FaultLog } from '../../src/telemetry/fault-log.ts';

const LINE = 3;
const PAGE_BYTES = [4096, 65536] as const;
/** Host pages of the two blocks, 'low' and 'high'. */
const PAGE_COUNTS = [6, 4] as const;
const TOTAL = PAGE_COUNTS[0] + PAGE_COUNTS[1];
/** Present from the beginning, so nobody asks for them: counted over both blocks. */
const PRESENT = [2, 7];

/** A toucher whose requests come to the test, instead of to a source. */
function rig(order: TouchOrder, seed: number) {
  const ram = RamImage.allocate(
    ['low', 'high'].map((name, index) => ({
      name,
      lengthBytes: PAGE_COUNTS[index]! * PAGE_BYTES[index]!,
      hostPageBytes: PAGE_BYTES[index]!,
      kind: 'system',
    })),
    'missing',
  );
  const board = FaultBoard.allocate(LINE + 1);
  const news = new EventEmitter();
  const decoder = new ReturnPathDecoder((record) => news.emit('request', record), { profile: 'strict' });
  const toucher = new Toucher({
    touch: { order, seed },
    line: LINE,
    board: board.shared,
    port: ReturnPathPort.allocate(() => undefined).shared,
    onReply: (bytes) => decoder.push(bytes),
    onError: (error) => news.emit('error', error),
  });
  toucher.take(ram.shared);
  const requests = on(news, 'request') as AsyncIterator<[{ block: string; start: number; length: number }]>;
  /** Brings a page, as the placer does. */
  const place = (index: number): void => {
    const block = index < PAGE_COUNTS[0] ? 0 : 1;
    const hostPage = index - (block === 0 ? 0 : PAGE_COUNTS[0]);
    board.placed(block, hostPage, {
      firstByteNs: monotonicNs(),
      lastBytesNs: monotonicNs(),
      placedNs: monotonicNs(),
    });
    ram.blocks[block]!.publish(hostPage);
  };
  /** The page that it asks for next, counted over both blocks. */
  const nextRequest = async (): Promise<number> => {
    const { value } = await requests.next();
    const [{ block, start, length }] = value as [{ block: string; start: number; length: number }];
    const pageBytes = PAGE_BYTES[block === 'low' ? 0 : 1];
    t.equal(length, pageBytes, 'a request is for one host page');
    return start / pageBytes + (block === 'low' ? 0 : PAGE_COUNTS[0]);
  };
  return { toucher, place, nextRequest, names: ram.blocks.map(({ name }) => name) };
}

for (const [order, seed] of [
  ['ascending', 1],
  ['descending', 1],
  ['random', 1],
  ['random', 2],
] as const) {
  t.test(`${order} order, seed ${seed}`, async (t) => {
    const { toucher, place, nextRequest, names } = rig(order, seed);
    for (const index of PRESENT) place(index);
    toucher.run();
    const asked: number[] = [];
    while (asked.length < TOTAL - PRESENT.length) {
      asked.push(await nextRequest());
      place(asked.at(-1)!);
    }
    const due = [...touchIndices({ order, seed }, TOTAL)].filter((index) => !PRESENT.includes(index));
    t.strictSame(asked, due);
    const faults = new FaultLog(9, (await toucher.end())!).toRecords(names);
    t.strictSame(
      faults.map(({ block, hostPage }) => hostPage + (block === 'low' ? 0 : PAGE_COUNTS[0])),
      due,
      'each is logged',
    );
    for (const { vcpu, faultNs, requestedNs, placedNs, resumedNs } of faults) {
      t.equal(vcpu, 9);
      t.ok(faultNs <= requestedNs && requestedNs <= resumedNs, 'asked for while it waited');
      t.ok(faultNs <= placedNs && placedNs <= resumedNs, 'placed while it waited');
    }
  });
}

t.test('it ends while it waits for a page, which is then no stall', async (t) => {
  const { toucher, place, nextRequest, names } = rig('ascending', 1);
  toucher.run();
  t.equal(await nextRequest(), 0);
  place(0);
  t.equal(await nextRequest(), 1);
  const log = (await toucher.end())!;
  t.strictSame(
    new FaultLog(0, log).toRecords(names).map(({ hostPage }) => hostPage),
    [0],
  );
});

t.test('it touches nothing before it is told to', async (t) => {
  const { toucher } = rig('ascending', 1);
  t.equal(await toucher.waitReady(30_000), true);
  t.equal((await toucher.end())!.count, 0);
});

t.test('it ends if there never was any RAM', async (t) => {
  const toucher = new Toucher({
    touch: { order: 'ascending', seed: 1 },
    line: LINE,
    board: FaultBoard.allocate(LINE + 1).shared,
    port: ReturnPathPort.allocate(() => undefined).shared,
    onReply: () => t.fail('it asks'),
    onError: () => t.fail('it fails'),
  });
  t.equal((await toucher.end())!.count, 0);
});
