// Who waits for which page, and when it came.
import t from 'tap';
import { FaultBoard } from '../../src/destination/fault-board.ts';

t.test('times reach every vCPU that waits for the page, and no other', (t) => {
  const board = FaultBoard.allocate(4);
  const placer = new FaultBoard(board.shared);
  board.begin(0, 0, 7);
  board.begin(1, 0, 7);
  board.begin(2, 1, 7);
  placer.placed(0, 7, { firstByteNs: 10, lastBytesNs: 15, placedNs: 20 });
  t.same(board.end(0), { firstByteNs: 10, lastBytesNs: 15, placedNs: 20 });
  t.same(board.end(1), { firstByteNs: 10, lastBytesNs: 15, placedNs: 20 });
  t.same(board.end(2), { firstByteNs: 0, lastBytesNs: 0, placedNs: 0 }, 'another block');
  placer.placed(0, 7, { firstByteNs: 30, lastBytesNs: 35, placedNs: 40 });
  board.begin(0, 0, 2 ** 32 - 1);
  placer.placed(0, 2 ** 32 - 1, { firstByteNs: 50, lastBytesNs: 55, placedNs: 60 });
  t.same(
    board.end(0),
    { firstByteNs: 50, lastBytesNs: 55, placedNs: 60 },
    'the last page that a block can have',
  );
  t.same(board.end(3), { firstByteNs: 0, lastBytesNs: 0, placedNs: 0 });
  t.end();
});
