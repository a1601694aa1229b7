// What is expected of a destination when a script is over, and what is wrong where it is not so.
import { type Answers, answersOf } from './answers.ts';
import { MigrationPlan } from './migration-plan.ts';
import type { Check, Finding } from './rule.ts';
import type { Run } from './scenario.ts';
import type { Subject } from './subject.ts';

/** One thing that is expected of a run. */
export interface Expectation {
  readonly expected: string;
  /** What is there instead; undefined if it is as expected. */
  readonly fault: (look: Look) => string | undefined;
}

/** What an expectation looks at. */
export interface Look {
  readonly run: Run;
  readonly subject: Subject;
  readonly answers: Answers;
}

/** The judgement that all expectations are met. */
export function expects(...expectations: readonly Expectation[]): Check['judge'] {
  return judgeBy(false, expectations);
}

/** The same of a run in which the cookie of the negotiation was sent. */
export function expectsNegotiated(...expectations: readonly Expectation[]): Check['judge'] {
  return judgeBy(true, expectations);
}

function judgeBy(extension: boolean, expectations: readonly Expectation[]): Check['judge'] {
  return (run, subject): Finding => {
    const answers = answersOf(run.exchange, subject.profile, extension);
    const look: Look = { run, subject, answers };
    const faults = expectations.flatMap((each) => {
      const fault = each.fault(look);
      return fault === undefined ? [] : [{ expected: each.expected, fault }];
    });
    if (faults.length === 0) {
      return {
        verdict: 'passed',
        expected: expectations.map(({ expected }) => expected).join('; '),
        seen: describeEnd(look),
      };
    }
    return {
      verdict: 'failed',
      expected: faults.map(({ expected }) => expected).join('; '),
      seen: faults.map(({ fault }) => fault).join('; '),
    };
  };
}

/** How a run ended, in a clause. */
export function describeEnd({ run, answers }: Look): string {
  const { status, exitCode } = run.end;
  const shut = answers.shuts.map((value) => `SHUT ${value}`);
  const closed = run.peerClosed ? ['the peer closed'] : [];
  const told = status === undefined ? [] : [`status ${status}`];
  const exit = exitCode === undefined ? [] : [`exit ${exitCode}`];
  return [...shut, ...closed, ...told, ...exit].join(', ') || 'the peer neither closed nor said anything';
}

const unreadable: Expectation = {
  expected: 'only messages of the return path that are known',
  fault: ({ answers }) => answers.error?.message,
};

function stalled({ run }: Look): string | undefined {
  if (run.stalledAt === undefined) return undefined;
  return `${run.peerClosed ? 'the peer closed before' : 'nothing came of'} ${run.stalledAt}`;
}

/** What to expect of the RAM of a migration that completes. */
export interface RamExpectation {
  /** Contents other than planned, of one block. */
  readonly pages?: (
    plan: MigrationPlan,
    subject: Subject,
  ) => { readonly block: string; readonly pages: ReadonlyMap<number, Uint8Array> };
  /** A block of which nobody can say what is in it. */
  readonly ignored?: (plan: MigrationPlan, subject: Subject) => string;
}

/** The migration completes: SHUT 0 is the last word, and RAM is what was sent, as far as the peer tells. */
export function completes(ram: RamExpectation = {}): Expectation {
  return {
    expected: 'the migration completes: SHUT 0, and RAM as it was sent',
    fault: (look) =>
      unreadable.fault(look) ??
      stalled(look) ??
      shutFault(look) ??
      statusFault(look, ['completed'], 0) ??
      ramFault(look, ram),
  };
}

/** The same for a stream without a return path: nothing may be said. */
export function completesSilently(): Expectation {
  return {
    expected: 'the migration completes, and nothing is said on a return path that was not opened',
    fault: (look) =>
      stalled(look) ??
      (look.run.exchange.pieces.some(({ dir }) => dir === 'ret') ? 'bytes came' : undefined) ??
      statusFault(look, ['completed'], 0) ??
      ramFault(look, {}),
  };
}

function shutFault({ answers, run, subject }: Look): string | undefined {
  const { shuts } = answers;
  if (shuts.length === 1 && shuts[0] === 0 && answers.all.at(-1)!.record.name === 'SHUT') return undefined;
  if (shuts.length === 0) return describeEnd({ run, answers, subject });
  return shuts.length > 1
    ? `${shuts.length} SHUTs`
    : shuts[0] !== 0
      ? `SHUT ${shuts[0]}`
      : 'more behind SHUT';
}

/** A peer that tells a status is taken at its word; of another there is its exit code, where it has one. */
function statusFault({ run }: Look, statuses: readonly string[], exitCode?: number): string | undefined {
  const { status, exitCode: found } = run.end;
  if (status !== undefined) return statuses.includes(status) ? undefined : `status ${status}`;
  if (found === undefined) return undefined;
  if (exitCode === 0) return found === 0 ? undefined : `exit ${found}`;
  return found === 0 ? 'exit 0, as of a migration that completed' : undefined;
}

function ramFault({ run, subject }: Look, { pages, ignored }: RamExpectation): string | undefined {
  const told = run.end.ramSha256;
  if (told === undefined) return undefined;
  const plan = new MigrationPlan(subject);
  const other = pages?.(plan, subject);
  const wrong = plan.blocks.filter(
    (block) =>
      told[block.name] !== undefined &&
      ignored?.(plan, subject) !== block.name &&
      told[block.name] !== plan.sha256(block, other?.block === block.name ? other.pages : undefined),
  );
  return wrong.length === 0 ? undefined : `other RAM in ${wrong.map(({ name }) => name).join(', ')}`;
}

/** How a destination takes what it must refuse. `either`: profiles differ, or nobody demands one of them. */
export type Refusal = 'failed' | 'paused' | 'either';

const STATUSES: Readonly<Record<Refusal, readonly string[]>> = {
  failed: ['failed'],
  paused: ['postcopy-paused'],
  either: ['failed', 'postcopy-paused'],
};
const WORDS: Readonly<Record<Refusal, string>> = {
  failed: 'the migration fails',
  paused: 'the migration pauses',
  either: 'the migration fails or pauses',
};

/** The peer takes what comes before, then closes without SHUT 0. */
export function refuses(refusal: Refusal): Expectation {
  return {
    expected: `${WORDS[refusal]} there, not before: the peer closes without SHUT 0`,
    fault: (look) => {
      const { run, answers } = look;
      const early = unreadable.fault(look) ?? stalled(look);
      if (early !== undefined) return early;
      if (answers.shuts.includes(0)) return describeEnd(look);
      if (!run.peerClosed) return 'the peer does not close';
      return statusFault(look, STATUSES[refusal]);
    },
  };
}

/** Profiles, or QEMUs, differ: it completes or fails, and either is told. */
export function completesOrFails(): Expectation {
  return {
    expected: 'the migration completes, or fails without SHUT 0',
    fault: (look) => completes().fault(look) && refuses('failed').fault(look),
  };
}

/** It completes, or fails on the wire; the status is not asked, of a peer whose own threads may disagree on it. */
export function completesOrFailsOnTheWire(): Expectation {
  return {
    expected: 'the migration completes, or the peer closes or says SHUT 1, whatever status it tells',
    fault: (look) => {
      const { run, answers } = look;
      if (completes().fault(look) === undefined) return undefined;
      const failed = !answers.shuts.includes(0) && (run.peerClosed || answers.shuts.length > 0);
      return unreadable.fault(look) ?? (failed ? undefined : describeEnd(look));
    },
  };
}

/** Nothing more is demanded than that the migration does not pass for complete. */
export function doesNotComplete(): Expectation {
  return {
    expected: 'the migration does not complete: no SHUT 0',
    fault: (look) =>
      stalled(look) ??
      (look.answers.shuts.includes(0) || look.run.end.status === 'completed' ? describeEnd(look) : undefined),
  };
}

/** PONGs with these values came, in any order. */
export function pongs(...values: readonly number[]): Expectation {
  return {
    expected: `a PONG for each of PING ${values.join(', ')}, and no other`,
    fault: ({ answers }) => {
      const found = [...answers.pongs].sort((a, b) => a - b);
      const due = [...values].sort((a, b) => a - b);
      return String(found) === String(due) ? undefined : `PONG ${answers.pongs.join(', ') || 'for none'}`;
    },
  };
}

/** Something about the answers, in words and as a test. */
export function answersWith(expected: string, test: (answers: Answers) => boolean): Expectation {
  return {
    expected,
    fault: ({ answers }) => (test(answers) ? undefined : `not so: ${describeAnswers(answers)}`),
  };
}

const ANSWERS_SHOWN = 12;

function describeAnswers({ all }: Answers): string {
  const names = all.map(({ record }) => ('value' in record ? `${record.name} ${record.value}` : record.name));
  const shown = names.slice(-ANSWERS_SHOWN).join(', ') || 'nothing was answered';
  return names.length > ANSWERS_SHOWN ? `… ${shown}` : shown;
}
