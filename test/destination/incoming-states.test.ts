// Walks every state of the incoming migration with every event.
import t from 'tap';
import {
  nextPostcopyState,
  POSTCOPY_TRANSITIONS,
  type PostcopyEvent,
  type PostcopyState,
  PostcopyStateCell,
} from '../../src/destination/incoming-states.ts';

const EVENTS: readonly PostcopyEvent[] = ['advise', 'discard', 'listen', 'run', 'run-precopy', 'end', 'fail'];
const PATHS: Readonly<Record<PostcopyState, readonly PostcopyEvent[]>> = {
  none: [],
  advise: ['advise'],
  discard: ['advise', 'discard'],
  listening: ['advise', 'listen'],
  running: ['advise', 'discard', 'listen', 'run'],
  end: ['run-precopy', 'end'],
  failed: ['fail'],
  paused: ['run-precopy', 'fail'],
};
/** Written down apart from the table. */
const LEGAL: Readonly<Record<string, PostcopyState>> = {
  'none advise': 'advise',
  'none run-precopy': 'running',
  'none fail': 'failed',
  'advise discard': 'discard',
  'advise listen': 'listening',
  'advise run-precopy': 'running',
  'advise fail': 'failed',
  'discard discard': 'discard',
  'discard listen': 'listening',
  'discard fail': 'failed',
  'listening run': 'running',
  'listening fail': 'failed',
  'running end': 'end',
  'running fail': 'paused',
};
const RULES: Partial<Record<PostcopyEvent, string>> = {
  advise: 'D28',
  discard: 'D33',
  listen: 'D46',
  run: 'D48',
};

t.test('every state and every event', (t) => {
  for (const state of Object.keys(POSTCOPY_TRANSITIONS) as PostcopyState[]) {
    for (const event of EVENTS) {
      const cell = new PostcopyStateCell();
      for (const step of PATHS[state]) cell.advance(step);
      t.equal(cell.state, state);
      const next = LEGAL[`${state} ${event}`];
      if (next === undefined) {
        t.throws(() => cell.advance(event), { code: 'bad-postcopy-state', state, rule: RULES[event] });
        t.equal(cell.state, state, 'and stays where it was');
      } else {
        t.equal(nextPostcopyState(state, event), next);
        t.equal(new PostcopyStateCell(cell.shared).advance(event), next, 'in any thread');
        t.equal(cell.state, next);
      }
    }
  }
  t.end();
});
