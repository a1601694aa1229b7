// The log of requests: what each waited for, its bound, and what it costs when it is off.
import t from 'tap';
import { PingLog } from '../../src/source/ping-log.ts';
import { RequestLog, requestRecords } from '../../src/source/request-log.ts';

const NAMES = ['pc.ram', 'vga.vram'];

t.test('a request waits for what the source does from its coming to its turn', async (t) => {
  const log = new RequestLog();
  log.begin('behindBackground', 100);
  const first = log.arrived(1, 4096, 0, 130);
  log.begin('behindPage', 150);
  const second = log.arrived(0, 0, 1, 160);
  log.beginPause(170);
  log.endPause(175);
  log.begin('source', 190);
  log.taken(first);
  log.begin('behindRequests', 192);
  log.begin('source', 240);
  log.taken(second);
  const none = { behindPage: 0, behindRequests: 0, behindBackground: 0, behindLimit: 0 };
  t.strictSame(requestRecords(log.data, NAMES), [
    {
      block: 'vga.vram',
      start: 4096,
      arrivedNs: 130,
      takenNs: 190,
      aheadCount: 0,
      waitsNs: { ...none, behindBackground: 20, behindPage: 35, behindLimit: 5 },
    },
    {
      block: 'pc.ram',
      start: 0,
      arrivedNs: 160,
      takenNs: 240,
      aheadCount: 1,
      // 2 of the 80 ns were the source's own.
      waitsNs: { ...none, behindPage: 25, behindLimit: 5, behindRequests: 48 },
    },
  ]);
});

t.test('a page under way, or sent before, is not begun for its request', async (t) => {
  const log = new RequestLog();
  const row = log.arrived(0, 0, 0, 1);
  log.arrived(0, 4096, 0, 2);
  log.begin('source', 5);
  log.taken(row);
  log.lastWasUnderWay();
  t.strictSame(
    requestRecords(log.data, NAMES).map(({ takenNs }) => takenNs),
    [0, 0],
  );
});

t.test('bounded, and what is beyond is counted; off, it keeps nothing', async (t) => {
  const log = new RequestLog(600);
  for (let count = 0; count < 700; count += 1) log.taken(log.arrived(0, count * 4096, 0, count));
  t.match(log.data, { count: 600, droppedCount: 100 });
  t.equal(requestRecords(log.data, NAMES)[599]!.start, 599 * 4096, 'through growth');
  const off = new RequestLog(0);
  off.taken(off.arrived(0, 0, 0, 1));
  off.lastWasUnderWay();
  t.match(off.data, { count: 0, droppedCount: 0 });
});

t.test('of many PINGs the shortest are kept, and of unanswered ones none', async (t) => {
  const log = new PingLog();
  for (let value = 0; value < 200; value += 1) log.sent(value, 1000 * value);
  for (let value = 1; value < 200; value += 1) log.answered(value, 1000 * value + ((value * 37) % 199) + 1);
  log.answered(7, 0);
  const trips = log.shortest.map(({ sentNs, answeredNs }) => answeredNs - sentNs);
  t.strictSame(
    trips,
    Array.from({ length: 32 }, (_, index) => index + 1),
  );
});
