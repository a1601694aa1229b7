// The state of a host page: missing, requested, present.

import { StateError } from '../errors.ts';

/** Values of a host page's state word in shared memory. Zero is missing, so fresh memory starts that way. */
export const PAGE_STATE = { MISSING: 0, REQUESTED: 1, PRESENT: 2 } as const;
/** One value of `PAGE_STATE`. */
export type PageState = (typeof PAGE_STATE)[keyof typeof PAGE_STATE];

/** Names of the page states, by value. */
export const PAGE_STATE_NAMES = ['missing', 'requested', 'present'] as const;
/** Name of a page state. */
export type PageStateName = (typeof PAGE_STATE_NAMES)[number];

/**
 * What happens to a host page: a faulting vCPU claims it (and so sends the request), the placer publishes it,
 * the source discards it.
 */
export type PageEvent = 'claim' | 'publish' | 'discard';

/**
 * State × event → state. A claim that is not in the table lost the race: somebody else sends the request, or the
 * page is there. Publishing a present page changes nothing; the placer counts it as a duplicate.
 */
export const PAGE_TRANSITIONS = {
  missing: { claim: 'requested', publish: 'present', discard: 'missing' },
  requested: { publish: 'present', discard: 'missing' },
  present: { publish: 'present', discard: 'missing' },
} as const satisfies Record<PageStateName, Partial<Record<PageEvent, PageStateName>>>;

/** The state of a host page after `event`. Throws StateError `bad-page-event` where the table has no entry. */
export function nextPageState(state: PageStateName, event: PageEvent): PageStateName {
  const next = (PAGE_TRANSITIONS[state] as Partial<Record<PageEvent, PageStateName>>)[event];
  if (next === undefined) {
    throw new StateError('bad-page-event', `a ${state} host page cannot take the event ${event}`, { state });
  }
  return next;
}
