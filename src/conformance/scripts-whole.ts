// Scenarios in which the destination keeps to the rules: the source has to come to its end.

import { encodeReturnPath } from '../protocol/return-path-messages.ts';
import type { DestinationScript } from './destination-script.ts';
import type { RequestPlan } from './request-plan.ts';
import type { Scenario } from './scenario.ts';
import { sourceScenario } from './source-scenario.ts';

const ASKS: RequestPlan = {
  order: 'ascending',
  outstanding: 1,
  from: 'run',
  times: 1,
  againWhenHeld: false,
  limit: 64,
};

function whole(name: string, script: Omit<DestinationScript, 'name' | 'start'>): Scenario {
  return sourceScenario({ name, start: 'postcopy', ...script });
}

/** Nothing is asked for, and SHUT comes late. */
export const NO_REQUEST = whole('no request, SHUT late', { holdsShut: true });
export const ASCENDING = whole('requests in ascending order', { asks: ASKS });
export const DESCENDING = whole('requests in descending order', { asks: { ...ASKS, order: 'descending' } });
export const RANDOM = whole('requests in random order', { asks: { ...ASKS, order: 'random' } });
export const BURST = whole('many requests at once, from LISTEN on', {
  asks: { ...ASKS, order: 'descending', outstanding: 128, from: 'listen', limit: 128 },
});
export const REPEATED = whole('each request three times', { asks: { ...ASKS, order: 'random', times: 3 } });
export const CLEAN = whole('requests for pages that have come', {
  asks: { ...ASKS, order: 'random', againWhenHeld: true },
});
export const PONGS_LATE = whole('PONGs in another order than their PINGs', { packagePongLast: true });
export const SLOW_READER = whole('a slow reader that asks for pages', {
  readsSlowly: true,
  asks: { ...ASKS, order: 'random' },
});
export const RESUME_ACK_EARLY = whole('RESUME_ACK 1 outside of a recovery', {
  says: {
    at: 'running',
    bytes: () => encodeReturnPath('RESUME_ACK', { value: 1 }),
    goesOn: true,
  },
});
export const PRECOPY = sourceScenario({ name: 'precopy that converges', start: 'precopy', holdsShut: true });
export const PREEMPT = sourceScenario({
  name: 'requests in random order, preempt channel',
  start: 'preempt',
  asks: { ...ASKS, order: 'random' },
});
export const HUGE = sourceScenario({
  name: 'requests in random order, large host pages',
  start: 'huge',
  asks: { ...ASKS, order: 'random', limit: 4 },
});

/** A destination that does not know the negotiation answers its PING as any other. */
export const LEGACY_NEGOTIATION = RANDOM;

/** Runs by postcopy with 4 KiB pages, or whatever is behind the source's blocks. */
export const POSTCOPY_RUNS = [
  NO_REQUEST,
  ASCENDING,
  DESCENDING,
  RANDOM,
  BURST,
  REPEATED,
  CLEAN,
  PONGS_LATE,
  SLOW_READER,
] as const;
