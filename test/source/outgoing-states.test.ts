// Walks every state of the outgoing migration with every event.
import t from 'tap';
import {
  nextOutgoingState,
  OUTGOING_TRANSITIONS,
  type OutgoingEvent,
  type OutgoingState,
} from '../../src/source/outgoing-states.ts';

const EVENTS: readonly OutgoingEvent[] = [
  'agreed',
  'guest-stopped',
  'package-leaves',
  'eof-leaves',
  'completed',
  'error',
  'refused',
  'cancel',
];

/** What must hold, written down apart from the table: state, event and where it leads. */
const LEGAL: Readonly<Record<string, string>> = {
  'setup agreed': 'active',
  'active guest-stopped': 'device',
  'device package-leaves': 'postcopy-active',
  'device eof-leaves': 'handed-over',
  'postcopy-active completed': 'completed',
  'handed-over completed': 'completed',
  'setup error': 'failed',
  'active error': 'failed',
  'device error': 'failed',
  'handed-over error': 'failed',
  'postcopy-active error': 'postcopy-paused',
  'setup refused': 'failed',
  'active refused': 'failed',
  'device refused': 'failed',
  'postcopy-active refused': 'failed',
  'handed-over refused': 'failed',
  'setup cancel': 'cancelled',
  'active cancel': 'cancelled',
  'device cancel': 'cancelled',
};

t.test('every state and every event', (t) => {
  for (const state of Object.keys(OUTGOING_TRANSITIONS) as OutgoingState[]) {
    for (const event of EVENTS) {
      const next = LEGAL[`${state} ${event}`];
      if (next === undefined) {
        t.throws(
          () => nextOutgoingState(state, event),
          { name: 'StateError', code: 'bad-outgoing-event', state },
          `${state} × ${event} is refused`,
        );
      } else t.equal(nextOutgoingState(state, event), next, `${state} × ${event}`);
    }
  }
  t.end();
});

t.test('the guest never goes on here once it may be elsewhere (S30)', (t) => {
  t.notOk('cancel' in OUTGOING_TRANSITIONS['postcopy-active']);
  t.notOk('cancel' in OUTGOING_TRANSITIONS['handed-over']);
  for (const end of ['completed', 'failed', 'cancelled', 'postcopy-paused'] as const)
    t.same(OUTGOING_TRANSITIONS[end], {}, `${end} is an end`);
  t.end();
});
