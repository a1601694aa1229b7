// A recovery of a destination: the connection breaks when the guest runs, and a new one goes on.
import { encodeCommand } from '../protocol/commands.ts';
import { type Answers, answersOf } from './answers.ts';
import { whenRunning } from './destination-scripts.ts';
import { endOfRam, endOfStream, honestScript, pageLabel, ramPart } from './honest-script.ts';
import { MigrationPlan, type PlannedBlock } from './migration-plan.ts';
import { scripted } from './play-script.ts';
import type { Check, Finding } from './rule.ts';
import { findStep, type Step, send } from './script.ts';
import type { Subject } from './subject.ts';

/** The connection that recovers: without a preempt channel it is the second. */
const RECOVERY_CONN = 1;

/** The host pages that were placed before the connection broke: the first of each block. */
function placedBefore(block: PlannedBlock): readonly number[] {
  return block.postcopy.slice(0, 1);
}

function recoveryScript(subject: Subject): Step[] {
  const plan = new MigrationPlan(subject);
  const steps = honestScript(subject, plan);
  const page = (block: PlannedBlock, hostPage: number): Step =>
    send(pageLabel(block, hostPage), plan.hostPage(block, hostPage));
  const first = plan.blocks.flatMap((block) => placedBefore(block).map((hostPage) => page(block, hostPage)));
  const rest = plan.blocks.flatMap((block) =>
    block.postcopy
      .filter((hostPage) => !placedBefore(block).includes(hostPage))
      .map((hostPage) => page(block, hostPage)),
  );
  return [
    ...steps.slice(0, findStep(steps, 'postcopy part')),
    ...whenRunning(),
    send('postcopy part', ramPart()),
    ...first,
    send('end of postcopy part', endOfRam()),
    { label: 'the end of the connection', do: 'close' },
    { label: 'the pause, and a new connection', do: 'reconnect' },
    ...plan.blocks.map((block) => send('bitmap', encodeCommand('RECV_BITMAP', { block: block.name }))),
    {
      label: 'a bitmap of each block',
      do: 'await',
      until: (answers) => answers.count('RECEIVED_BITMAP') === plan.blocks.length,
    },
    send('resume', encodeCommand('POSTCOPY_RESUME', {})),
    { label: 'RESUME_ACK', do: 'await', until: (answers) => answers.count('RESUME_ACK') > 0 },
    send('part after the recovery', ramPart()),
    ...rest,
    send('end of part after the recovery', endOfRam()),
    ...endOfStream(),
  ];
}

/** The connection breaks when a page of each block was placed in postcopy; a new one brings the rest. */
const RECOVERY = scripted('a connection that breaks, and a recovery', recoveryScript, { variant: 'recover' });

/** What is wrong with the answers after the recovery; undefined if nothing is. */
export type RecoveryFault = (answers: Answers, subject: Subject) => string | undefined;

/** A check of a migration that is recovered and completes. */
export function recovered(what: string, expected: string, fault: RecoveryFault): Check {
  return {
    what,
    scenario: RECOVERY,
    judge: (run, subject): Finding => {
      const answers = answersOf(run.exchange, subject.profile, false, RECOVERY_CONN);
      const seen =
        (run.stalledAt && `nothing came of ${run.stalledAt}`) ??
        answers.error?.message ??
        (answers.shuts.join() === '0' ? undefined : 'no SHUT 0 after the recovery') ??
        (run.end.status === undefined || run.end.status === 'completed'
          ? undefined
          : `status ${run.end.status}`) ??
        ramFault(run.end.ramSha256, subject) ??
        fault(answers, subject);
      return seen === undefined
        ? { verdict: 'passed', expected, seen: 'as expected' }
        : { verdict: 'failed', expected, seen };
    },
  };
}

function ramFault(told: Readonly<Record<string, string>> | undefined, subject: Subject): string | undefined {
  const plan = new MigrationPlan(subject);
  const wrong = plan.blocks.find(
    (block) => told?.[block.name] !== undefined && told[block.name] !== plan.sha256(block),
  );
  return wrong && `other RAM in ${wrong.name}`;
}

/** Every bit as it has to be: set where precopy or postcopy had brought the page, and nothing in the padding. */
export const bitmapFault: RecoveryFault = ({ all }, subject) => {
  const plan = new MigrationPlan(subject);
  for (const { record } of all) {
    if (record.name !== 'RECEIVED_BITMAP') continue;
    const block = plan.block(record.block);
    const due = new Uint8Array(8 * Math.ceil(block.lengthBytes / 4096 / 64));
    const received = [
      ...block.precopy.filter((page) => !block.postcopy.includes(page)),
      ...placedBefore(block),
    ];
    for (const hostPage of received) {
      for (let at = 0; at < block.pagesPerHostPage; at += 1) {
        const page = hostPage * block.pagesPerHostPage + at;
        due[page >> 3]! |= 1 << (page % 8);
      }
    }
    if (record.bits.length !== due.length) return `${record.bits.length} bytes for '${block.name}'`;
    const wrong = due.findIndex((byte, index) => byte !== record.bits[index]);
    if (wrong !== -1) return `other bits for pages ${8 * wrong} to ${8 * wrong + 7} of '${block.name}'`;
  }
  return undefined;
};
