// The order of each composition of a push is what docs/push.md says: the rest of a host page first, and whole pieces.
import t from 'tap';
import { type BlockShape, PushRig, single } from './push-rig.ts';

/** One block of placement pages of 4 KiB, `perHostPage` of them in a host page at the destination. */
const inPieces = (units: number, perHostPage: number, dirty?: readonly number[]): BlockShape[] =>
  single(units, dirty).map((block) => ({ ...block, unitsPerHostPage: perHostPage }));

t.test(
  'rest first: requested pieces, the rest of the host page from behind them and round, then others',
  async (t) => {
    const rig = new PushRig('sequential', inPieces(12, 4));
    t.equal(rig.send(1), '0', 'nothing was requested: the strategy chooses');
    rig.ask('a', 9);
    t.equal(rig.send(), '9! 10 11 8 1 2 3 4 5 6 7');
    t.equal(rig.counts.restFirstHostPages, 1);
  },
);

t.test('rest first: of several broken host pages the one requested last, then older ones', async (t) => {
  const rig = new PushRig('sequential', inPieces(20, 4));
  rig.ask('a', 5, 14);
  t.equal(rig.send(4), '5! 14! 15 12');
  rig.ask('a', 17);
  t.equal(rig.send(3), '17! 18 19', 'before the one that it interrupts');
  rig.ask('a', 7);
  t.equal(rig.send(), '7! 4 6 16 13 0 1 2 3 8 9 10 11', 'one requested again comes first again');
  t.equal(rig.counts.restFirstHostPages, 3, 'each counted once');
});

t.test('rest first: what was sent is left out, and a request for it counts as one', async (t) => {
  const rig = new PushRig('sequential', inPieces(8, 4, [0, 1, 3, 4, 5, 7]));
  t.equal(rig.send(1), '0');
  rig.ask('a', 5);
  t.equal(rig.send(2), '5! 7');
  rig.ask('a', 0);
  t.equal(rig.send(), '1 3 4', 'the guest is in the first host page now');
  t.equal(rig.counts.requestsFoundSent, 1);
  t.equal(rig.counts.restFirstHostPages, 2);
});

t.test('rest first: a host page at the end of its block is shorter, and ends there', async (t) => {
  const rig = new PushRig('sequential', [
    { name: 'a', units: 6, pagesPerUnit: 1, unitsPerHostPage: 4 },
    { name: 'b', units: 2, pagesPerUnit: 4 },
  ]);
  rig.ask('a', 5);
  rig.ask('b', 1);
  t.equal(rig.send(), '5! b1! 4 0 1 2 3 b0', 'one that comes whole has no rest');
});

t.test('rest first: the strategy hears of all requests, and goes on by them', async (t) => {
  const rig = new PushRig('bubble', inPieces(12, 2));
  rig.ask('a', 6);
  t.equal(rig.send(), '6! 7 5 8 4 9 3 10 2 11 1 0');
});

t.test('rest first: not if it is switched off, nor where host pages come whole', async (t) => {
  const off = new PushRig('sequential', inPieces(6, 2), { restFirst: false });
  const whole = new PushRig('sequential', single(6));
  for (const rig of [off, whole]) {
    rig.ask('a', 3);
    t.equal(rig.send(), '3! 0 1 2 4 5');
    t.equal(rig.counts.restFirstHostPages, null);
  }
});

t.test(
  'rest first: a host page that is no multiple of its pieces, as only a bad peer tells, does no harm',
  async (t) => {
    const [block] = inPieces(8, 3.4);
    const rig = new PushRig('sequential', [block!]);
    rig.ask('a', 4);
    t.equal(rig.send(), '4! 5 3 0 1 2 6 7');
  },
);

t.test('none pushes nothing, whatever is broken', async (t) => {
  const rig = new PushRig('none', inPieces(8, 4), { pagesPerPiece: 2 });
  rig.ask('a', 5);
  t.equal(rig.send(), '5!');
  t.match(rig.counts, { restFirstHostPages: null, pieces: null });
});

t.test('pieces: what the strategy chooses stands for its whole aligned piece', async (t) => {
  const rig = new PushRig('reverse', single(10), { pagesPerPiece: 4 });
  t.equal(rig.send(), '8 9 4 5 6 7 0 1 2 3');
  t.match(rig.counts, { pieceBytes: 16384, pieces: 3, piecesInterrupted: 0 });
});

t.test('pieces: a request goes between, and the piece goes on without what was sent', async (t) => {
  const rig = new PushRig('sequential', single(12), { pagesPerPiece: 4 });
  t.equal(rig.send(2), '0 1');
  rig.ask('a', 9, 3);
  t.equal(rig.send(2), '9! 3!');
  t.equal(rig.send(), '2 4 5 6 7 8 10 11');
  t.match(rig.counts, { pieces: 3, piecesInterrupted: 1 }, 'one piece, interrupted twice');
});

t.test('pieces: a request between two of them interrupts none', async (t) => {
  const rig = new PushRig('sequential', single(8), { pagesPerPiece: 4 });
  t.equal(rig.send(4), '0 1 2 3');
  rig.ask('a', 6);
  t.equal(rig.send(), '6! 4 5 7');
  t.match(rig.counts, { pieces: 2, piecesInterrupted: 0 });
});

t.test('pieces: a larger placement page is a piece of its own, and blocks do not share one', async (t) => {
  const rig = new PushRig(
    'reverse',
    [
      { name: 'a', units: 3, pagesPerUnit: 1 },
      { name: 'b', units: 2, pagesPerUnit: 4 },
    ],
    { pagesPerPiece: 2 },
  );
  t.equal(rig.send(), 'b1 b0 2 0 1');
});

t.test('mixed: the piece of a request goes first, also one whose last page was requested', async (t) => {
  const rig = new PushRig('sequential', inPieces(16, 8), { pagesPerPiece: 4 });
  rig.ask('a', 11);
  t.equal(rig.send(), '11! 8 9 10 12 13 14 15 0 1 2 3 4 5 6 7');
});

t.test('mixed: a piece larger than the host page, which another one shares', async (t) => {
  const rig = new PushRig('sequential', inPieces(8, 2), { pagesPerPiece: 4 });
  rig.ask('a', 7);
  t.equal(rig.send(), '7! 4 5 6 0 1 2 3');
  const done = new PushRig('sequential', inPieces(8, 2, [0, 1, 4, 5, 7]), { pagesPerPiece: 4 });
  done.ask('a', 7);
  t.equal(done.send(), '7! 0 1 4 5', 'the rest of the piece is none of the host page');
  t.equal(done.counts.restFirstHostPages, 0);
});

t.test(
  'mixed: pages on demand, pieces in the background, the piece and then the rest of the host page first',
  async (t) => {
    const rig = new PushRig('sequential', inPieces(16, 8), { pagesPerPiece: 4 });
    t.equal(rig.send(1), '0');
    rig.ask('a', 13);
    t.equal(
      rig.send(),
      '13! 1 2 3 12 14 15 8 9 10 11 4 5 6 7',
      'the piece under way, that of the request, the rest of its host page, the others',
    );
    t.match(rig.counts, { restFirstHostPages: 1, pieces: 4, piecesInterrupted: 1 });
  },
);
