// The order of each push strategy is what docs/push.md says, on examples made by hand.
import t from 'tap';
import { findPush, PUSH_NAMES } from '../../../src/source/push/strategies.ts';
import { PAGE, PushRig, single, TWO_BLOCKS } from './push-rig.ts';

t.test('none: what was asked for, and nothing else', async (t) => {
  const rig = new PushRig('none', single(8));
  t.equal(rig.send(), '');
  rig.ask('a', 5, 2);
  t.equal(rig.send(), '5! 2!');
  t.equal(rig.order.hasDirty, true);
  rig.order.pushRest();
  rig.ask('a', 6);
  t.equal(rig.send(), '6! 0 1 3 4 7', 'until the rest is pushed, in sequence');
  t.equal(rig.order.hasDirty, false);
});

t.test('sequential: from the first page to the last, wherever requests are', async (t) => {
  const rig = new PushRig('sequential', TWO_BLOCKS);
  t.equal(rig.send(1), '0');
  rig.ask('b', 1);
  rig.ask('a', 2);
  t.equal(rig.send(), 'b1! 2! 1 3 b0 b2');
});

t.test('forward: on behind the page that was sent last for a request, and round', async (t) => {
  const rig = new PushRig('forward', TWO_BLOCKS);
  t.equal(rig.send(1), '0');
  rig.ask('a', 2);
  t.equal(rig.send(2), '2! 3');
  rig.ask('b', 1);
  t.equal(rig.send(2), 'b1! b2');
  rig.ask('b', 1);
  t.equal(rig.send(), '1 b0', 'a request whose page had been sent moves nothing');
});

t.test('bubble: above and below the request in turn, until one side is at its end', async (t) => {
  const rig = new PushRig('bubble', single(10));
  rig.ask('a', 3);
  t.equal(rig.send(), '3! 4 2 5 1 6 0 7 8 9');
});

t.test('bubble: the nearest first, where some is clean', async (t) => {
  const rig = new PushRig('bubble', single(12, [0, 1, 4, 6, 7, 8, 9]));
  rig.ask('a', 6);
  t.equal(rig.send(), '6! 7 8 4 9 1 0', '8 is as near as 4, and above');
});

t.test('bubble: every request moves it, also one whose page was sent', async (t) => {
  const rig = new PushRig('bubble', single(20));
  t.equal(rig.send(2), '0 1', 'upwards from the start before any request');
  rig.ask('a', 10);
  t.equal(rig.send(4), '10! 11 9 12');
  rig.ask('a', 12);
  t.equal(rig.send(4), '13 14 15 16', 'round 12: what is below down to 9 was sent, and 8 is four away');
  t.equal(rig.send(2), '8 17');
});

t.test('bubble: over the edges of blocks, in whole placement pages', async (t) => {
  const rig = new PushRig('bubble', TWO_BLOCKS);
  rig.ask('b', 0);
  t.equal(rig.send(), 'b0! b1 3 2 1 0 b2', 'four pages of a are as near as b2');
});

t.test('bubble-N: one page of each of the last N requests in turn', async (t) => {
  const rig = new PushRig('bubble-2', single(40));
  t.equal(rig.send(1), '0');
  rig.ask('a', 10, 30);
  t.equal(rig.send(8), '10! 30! 31 11 29 9 32 12', 'the newest has the first turn');
  rig.ask('a', 20);
  t.equal(rig.send(5), '20! 21 28 19 33', 'the newest takes the place of the oldest, round 10');
});

t.test('bubble-N: bubbles that have met do not send twice', async (t) => {
  const rig = new PushRig('bubble-3', single(9));
  rig.ask('a', 2, 4, 6);
  t.equal(rig.send(), '2! 4! 6! 7 3 5 8 1 0');
});

t.test('reverse: forward in a mirror', async (t) => {
  const rig = new PushRig('reverse', TWO_BLOCKS);
  t.equal(rig.send(1), 'b2', 'from the end before any request');
  rig.ask('a', 2);
  t.equal(rig.send(), '2! 1 0 b1 b0 3', 'down from the request, and on from the end');
});

t.test('stride: forward, until three requests lie at equal steps', async (t) => {
  const rig = new PushRig('stride', single(20));
  rig.ask('a', 0, 4);
  t.equal(rig.send(3), '0! 4! 5');
  rig.ask('a', 8);
  t.equal(rig.send(4), '8! 12 16 9', 'the step, up to the end of the block; then forward');
});

t.test('stride: downwards', async (t) => {
  const rig = new PushRig('stride', single(20));
  rig.ask('a', 18, 15, 12);
  t.equal(rig.send(8), '18! 15! 12! 9 6 3 0 13');
});

t.test('stride: a request on the run goes on with it, any other ends it for now', async (t) => {
  const rig = new PushRig('stride', single(60));
  rig.ask('a', 0, 5, 10);
  t.equal(rig.send(5), '0! 5! 10! 15 20');
  rig.ask('a', 15);
  t.equal(rig.send(1), '25', 'its page was sent: a hit');
  rig.ask('a', 33);
  t.equal(rig.send(2), '33! 34');
  rig.ask('a', 20);
  t.equal(rig.send(2), '30 35', 'back on the run, from where it was');
  rig.ask('a', 40);
  t.equal(rig.send(2), '40! 45', 'the page that the run would have sent next');
});

t.test('stride: two vCPUs whose requests come between each other', async (t) => {
  const rig = new PushRig('stride', [
    { name: 'a', units: 40, pagesPerUnit: 1 },
    { name: 'b', units: 20, pagesPerUnit: 2 },
  ]);
  rig.ask('a', 0);
  rig.ask('b', 19);
  rig.ask('a', 7);
  rig.ask('b', 17);
  rig.ask('a', 14);
  t.equal(rig.send(6), '0! b19! 7! b17! 14! 21');
  rig.ask('b', 15);
  t.equal(rig.send(3), 'b15! b13 b11');
  rig.ask('a', 21);
  t.equal(rig.send(2), '28 35');
});

t.test('stride: equal steps from block to block are none', async (t) => {
  const rig = new PushRig('stride', [
    { name: 'a', units: 4, pagesPerUnit: 1 },
    { name: 'c', units: 8, pagesPerUnit: 1 },
  ]);
  rig.ask('a', 0, 3);
  rig.ask('c', 2);
  t.equal(rig.send(4), '0! 3! c2! c3');
});

t.test('hot-first: dirtied last before dirtied earlier, often before once, then the rest', async (t) => {
  const syncs = [
    [
      [0, 1],
      [0, 6],
      [1, 2],
    ],
    [
      [0, 2],
      [1, 2],
      [0, 6],
    ],
    [
      [0, 0],
      [1, 2],
      [0, 3],
    ],
  ] as const;
  const shapes = [
    { name: 'a', units: 8, pagesPerUnit: 1 },
    { name: 'b', units: 4, pagesPerUnit: 4 },
  ];
  const rig = new PushRig('hot-first', shapes, { syncs });
  rig.ask('a', 4);
  t.equal(rig.send(), '4! b2 0 3 6 2 1 5 7 b0 b1 b3');
});

t.test('hot-first: a page that was dirtied more than eight syncs ago is as cold as any', async (t) => {
  const quiet = Array.from({ length: 7 }, () => []);
  const at = (count: number) =>
    new PushRig('hot-first', single(4), { syncs: [[[0, 2]], ...quiet.slice(0, count)] });
  t.equal(at(7).send(), '2 0 1 3');
  t.equal(new PushRig('hot-first', single(4), { syncs: [[[0, 2]], ...quiet, []] }).send(), '0 1 2 3');
});

t.test('recorded: the pages of an earlier run in the order of their faults, then the rest', async (t) => {
  const fault = (block: string, page: number, pages: number) => ({
    block,
    start: page * PAGE,
    length: pages * PAGE,
  });
  // Page 5 of b is inside b1; two pages of a and b0 to b1 were one page then.
  const faults = [fault('b', 5, 1), fault('a', 2, 2), fault('b', 0, 8), fault('a', 1, 1)];
  t.equal(new PushRig('recorded', TWO_BLOCKS, { faults }).send(), 'b1 2 3 b0 1 0 b2');
  const rig = new PushRig('recorded', TWO_BLOCKS, { faults });
  rig.ask('a', 3);
  t.equal(rig.send(3), '3! b1 2');
});

t.test('names', async (t) => {
  t.strictSame(PUSH_NAMES, [
    ...['none', 'sequential', 'forward', 'bubble', 'bubble-N', 'reverse', 'stride', 'hot-first', 'recorded'],
  ]);
  for (const name of ['bubble-1', 'bubble-7', 'bubble-64']) t.not(findPush(name), undefined, name);
  for (const name of ['', 'bubble-N', 'bubble-0', 'bubble-65', 'bubble-1.5', 'toString', 'Forward']) {
    t.equal(findPush(name), undefined, name);
  }
});
