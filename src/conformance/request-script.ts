// Scripts whose pages of postcopy go out as the peer asks for them, and what is expected of what it asks.
import { joinBytes } from '../protocol/message.ts';
import type { Answers } from './answers.ts';
import { answersOf } from './answers.ts';
import type { Expectation } from './expectations.ts';
import { honestScript, pageLabel } from './honest-script.ts';
import { MigrationPlan } from './migration-plan.ts';
import type { Check, Finding } from './rule.ts';
import type { PageRequest, Step } from './script.ts';
import type { Subject } from './subject.ts';

/**
 * An honest migration that sends each page of postcopy when it is asked for, on the channel given, and what nobody asks for
 * in the end.
 */
export function requestScript(subject: Subject, plan: MigrationPlan, on?: 'preempt'): Step[] {
  const steps = honestScript(subject, plan);
  const pending = new Map(
    plan.blocks.flatMap((block) =>
      block.postcopy.map((hostPage) => [pageLabel(block, hostPage), { block, hostPage }] as const),
    ),
  );
  const take = ({ block: name, start }: PageRequest): Uint8Array | undefined => {
    const block = plan.blocks.find((candidate) => candidate.name === name);
    const hostPage = start / (block?.hostPageBytes ?? 1);
    if (block === undefined || !pending.delete(pageLabel(block, hostPage))) return undefined;
    return plan.hostPage(block, hostPage);
  };
  const first = steps.findIndex(({ label }) => label === 'postcopy part') + 1;
  const last = steps.findIndex(({ label }) => label === 'end of postcopy part');
  return [
    ...steps.slice(0, first),
    {
      label: 'requests',
      do: 'serve',
      answer: (request) => {
        const bytes = take(request);
        return bytes === undefined ? undefined : { bytes, ...(on === undefined ? {} : { on }) };
      },
      isEnough: () => pending.size === 0,
    },
    {
      label: 'pages that nobody asked for',
      do: 'send',
      bytes: () =>
        joinBytes([...pending.values()].map(({ block, hostPage }) => plan.hostPage(block, hostPage))),
    },
    ...steps.slice(last),
  ];
}

/** What is expected of the requests of a run. */
export interface RequestExpectation {
  readonly expected: string;
  /** What is wrong with one of them. */
  readonly fault: (requests: Answers['requests'], plan: MigrationPlan) => string | undefined;
}

/** Judges requests; a peer that makes none has not broken the rule, unless it was said to make some. */
export function judgesRequests(
  { expected, fault }: RequestExpectation,
  ...others: readonly Expectation[]
): Check['judge'] {
  return (run, subject): Finding => {
    const answers = answersOf(run.exchange, subject.profile);
    const look = { run, subject, answers };
    const other = others.flatMap((each) => each.fault(look) ?? []);
    if (other.length > 0) {
      const wanted = others.map((each) => each.expected).join('; ');
      return { verdict: 'failed', expected: wanted, seen: other.join('; ') };
    }
    const { requests } = answers;
    if (requests.length === 0) {
      if (subject.requests) return { verdict: 'failed', expected, seen: 'no request at all' };
      return { verdict: 'not-run', why: 'the peer asked for no page: it needs a guest that runs' };
    }
    const seen = fault(requests, new MigrationPlan(subject));
    return seen === undefined
      ? { verdict: 'passed', expected, seen: `${requests.length} requests` }
      : { verdict: 'failed', expected, seen };
  };
}

/** A request in words. */
export function describeRequest({ block, start, length }: PageRequest): string {
  return `0x${length.toString(16)} bytes at 0x${start.toString(16)} of '${block}'`;
}
