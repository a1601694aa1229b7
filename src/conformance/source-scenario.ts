// The source role: a scenario plays a destination, and rules are watchers over what the source sent in it.
//
// A scenario accepts the connections of the source (`stage.accept`), reads with the one decoder (StreamDecoder), and
// answers with `encodeReturnPath`; every byte is written down by the stage. Afterwards watchers look at the dissected
// exchange, so many rules share one run: name the same scenario object in their checks. A scenario that needs the source
// started in another way (a guest that converges, a preempt channel) names a `variant`; the person who tests gives its
// command by `--variant NAME='COMMAND'`. docs/conformance.md lists the variants.

import type { TimedEntry } from '../analysis/timed-entry.ts';
import { dissectExchange } from './exchange-lines.ts';
import type { Check, Finding } from './rule.ts';
import type { Run } from './scenario.ts';
import type { Subject } from './subject.ts';

/** What a watcher looks at. */
export interface SourceLook {
  readonly run: Run;
  readonly subject: Subject;
  /** All records of both directions in the order in which they passed, and the errors where they cannot be decoded. */
  readonly entries: readonly TimedEntry[];
}

/** Looks at a run for one rule: undefined if it is kept, else what was seen instead. */
export type SourceWatcher = (look: SourceLook) => string | undefined;

/** The judgement of a watcher. `expected` says what the rule demands, for people. */
export function watches(expected: string, watcher: SourceWatcher): Check['judge'] {
  return (run, subject): Finding => {
    const entries = dissectExchange(run.exchange, subject.profile).flatMap((event) =>
      event.kind === 'entry' ? [event.timed] : [],
    );
    const fault = watcher({ run, subject, entries });
    return fault === undefined
      ? { verdict: 'passed', expected, seen: 'as expected' }
      : { verdict: 'failed', expected, seen: fault };
  };
}
