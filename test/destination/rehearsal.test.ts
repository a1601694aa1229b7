// The rehearsal is a migration that our own core accepts, and stops when a source comes.
import t from 'tap';
import { rehearseIncoming } from '../../src/destination/rehearsal.ts';

t.test('every record of it is accepted, over and over', async (t) => {
  let turns = 0;
  const countTurns = (): boolean => {
    turns += 1;
    return false;
  };
  await rehearseIncoming(countTurns, false); // a record that the core refuses is thrown
  t.ok(turns >= 70, `4 MiB in pieces of 60 kB take 70 turns, there were ${turns}`);
});

t.test('it is over with the turn in which a source comes', async (t) => {
  let turns = 0;
  await rehearseIncoming(() => ++turns === 3, true);
  t.equal(turns, 3);
});
