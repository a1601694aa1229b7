// States of an incoming postcopy migration, shared by the threads that move it (wire section 4.2).
import { StateError } from '../errors.ts';

/** What happens to an incoming migration. */
export type PostcopyEvent = 'advise' | 'discard' | 'listen' | 'run' | 'run-precopy' | 'end' | 'fail';

/** QEMU's postcopy states, and the ends of a migration. An error in `running` pauses: the guest lives here by then. */
export const POSTCOPY_TRANSITIONS = {
  none: { advise: 'advise', 'run-precopy': 'running', fail: 'failed' },
  advise: { discard: 'discard', listen: 'listening', 'run-precopy': 'running', fail: 'failed' },
  discard: { discard: 'discard', listen: 'listening', fail: 'failed' },
  listening: { run: 'running', fail: 'failed' },
  running: { end: 'end', fail: 'paused' },
  end: {},
  failed: {},
  paused: {},
} as const satisfies Record<string, Partial<Record<PostcopyEvent, string>>>;

/** Name of a state. */
export type PostcopyState = keyof typeof POSTCOPY_TRANSITIONS;

const STATES = Object.keys(POSTCOPY_TRANSITIONS) as PostcopyState[];

/** The rule that a command in the wrong state breaks. */
const RULES: Partial<Record<PostcopyEvent, string>> = {
  advise: 'D28',
  discard: 'D33',
  listen: 'D46',
  run: 'D48',
};

/** The state after an event. @throws StateError `bad-postcopy-state` where the table has none */
export function nextPostcopyState(state: PostcopyState, event: PostcopyEvent): PostcopyState {
  const next = (POSTCOPY_TRANSITIONS[state] as Partial<Record<PostcopyEvent, PostcopyState>>)[event];
  if (next !== undefined) return next;
  const legal = STATES.filter((candidate) => event in POSTCOPY_TRANSITIONS[candidate]).join(' or ');
  const rule = RULES[event];
  throw new StateError(
    'bad-postcopy-state',
    `expected ${event.toUpperCase()} in the state ${legal}, found it in ${state}`,
    {
      state,
      ...(rule === undefined ? {} : { rule }),
    },
  );
}

/** The state in shared memory: the channel's thread and the loader of the package both move it. */
export class PostcopyStateCell {
  /** Goes from thread to thread. */
  readonly shared: SharedArrayBuffer;
  readonly #word: Int32Array;

  constructor(shared = new SharedArrayBuffer(4)) {
    this.shared = shared;
    this.#word = new Int32Array(shared);
  }

  get state(): PostcopyState {
    return STATES[Atomics.load(this.#word, 0)]!;
  }

  /** Moves on, or throws and leaves the state as it is. Of two threads at once, one sees the other's state. */
  advance(event: PostcopyEvent): PostcopyState {
    for (;;) {
      const before = this.state;
      const next = nextPostcopyState(before, event);
      const word = STATES.indexOf(before);
      if (Atomics.compareExchange(this.#word, 0, word, STATES.indexOf(next)) === word) return next;
    }
  }
}
