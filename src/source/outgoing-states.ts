// States of the outgoing migration and what moves it from one to the next.
import { StateError } from '../errors.ts';

/** Name of a state of the outgoing migration, in QEMU's words. */
export type OutgoingState = keyof typeof OUTGOING_TRANSITIONS;

/** What happens to an outgoing migration. */
export type OutgoingEvent =
  | 'agreed'
  | 'guest-stopped'
  | 'package-leaves'
  | 'eof-leaves'
  | 'completed'
  | 'error'
  | 'refused'
  | 'cancel';

/**
 * From `package-leaves` (postcopy) or `eof-leaves` (precopy) on the destination may own the guest, and it must never go
 * on here (rule S30), unless the destination itself says that it refused before RUN.
 */
export const OUTGOING_TRANSITIONS = {
  setup: { agreed: 'active', error: 'failed', refused: 'failed', cancel: 'cancelled' },
  active: { 'guest-stopped': 'device', error: 'failed', refused: 'failed', cancel: 'cancelled' },
  device: {
    'package-leaves': 'postcopy-active',
    'eof-leaves': 'handed-over',
    error: 'failed',
    refused: 'failed',
    cancel: 'cancelled',
  },
  'postcopy-active': { completed: 'completed', error: 'postcopy-paused', refused: 'failed' },
  'handed-over': { completed: 'completed', error: 'failed', refused: 'failed' },
  completed: {},
  failed: {},
  cancelled: {},
  'postcopy-paused': {},
} as const satisfies Record<string, Partial<Record<OutgoingEvent, string>>>;

/** The state after an event. @throws StateError `bad-outgoing-event` where the table has none */
export function nextOutgoingState(state: OutgoingState, event: OutgoingEvent): OutgoingState {
  const next = (OUTGOING_TRANSITIONS[state] as Partial<Record<OutgoingEvent, OutgoingState>>)[event];
  if (next === undefined) {
    throw new StateError('bad-outgoing-event', `expected an event of the state ${state}, found ${event}`, {
      state,
    });
  }
  return next;
}
