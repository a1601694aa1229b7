// How a source that was cut off in postcopy goes on: bitmaps, RESUME, and the pages that are missing.
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import {
  endWords,
  failed,
  hasCompleted,
  notRun,
  passed,
  type SourceJudge,
  whyNoPostcopy,
  whyNotCompleted,
} from './source-findings.ts';
import type { PassedRecord, SourceView } from './source-view.ts';

/** What passed on the second connection. */
function recovered({ records }: SourceView): PassedRecord[] {
  return records.filter(({ conn }) => conn === 1);
}

/** Judges what came of the second connection. */
function afterReturn(judge: SourceJudge): SourceJudge {
  return (view, run, subject) => {
    const why = whyNoPostcopy(view);
    if (why !== undefined) return notRun(why);
    if (recovered(view).length > 0) return judge(view, run, subject);
    return failed('it connects again', `it did not; ${endWords(run)}`);
  };
}

/** S36: what a source says first on the new connection. */
export const asksForBitmaps: SourceJudge = afterReturn((view) => {
  const fromSource = recovered(view).filter(({ dir }) => dir === 'fwd');
  const blocks = Object.values(view.report.blocks).map(({ block }) => block);
  const resume = fromSource.findIndex(({ name }) => name === 'POSTCOPY_RESUME');
  const before = fromSource.slice(0, resume < 0 ? fromSource.length : resume);
  const expected = `no header, RECV_BITMAP for each of ${blocks.join(', ')}, then POSTCOPY_RESUME`;
  const asked = before.flatMap(({ name, values }) =>
    name === 'RECV_BITMAP' ? [values['block'] as string] : [],
  );
  const isRight =
    resume >= 0 &&
    asked.length === before.length &&
    asked.length === blocks.length &&
    blocks.every((block) => asked.includes(block));
  const seen = [...before.map(({ name, values }) => `${name} ${String(values['block'] ?? '')}`.trim())];
  if (resume >= 0) seen.push('POSTCOPY_RESUME');
  return isRight ? passed(expected, seen.join(', ')) : failed(expected, seen.join(', ') || 'nothing');
});

/** S36: no page before RESUME_ACK, which comes late. */
export const waitsForAck: SourceJudge = afterReturn((view) => {
  const expected = 'no page between POSTCOPY_RESUME and RESUME_ACK';
  const records = recovered(view);
  const ack = records.findIndex(({ name }) => name === 'RESUME_ACK');
  if (ack < 0) return failed(expected, 'it did not come to POSTCOPY_RESUME');
  const early = records.slice(0, ack).filter(({ name }) => name === 'PAGE' || name === 'ZERO').length;
  return early === 0 ? passed(expected, 'none') : failed(expected, `${early} pages`);
});

/** S35, S36: all that was not received comes, lost pages too, and nothing that was. */
export const sendsWhatIsMissing: SourceJudge = afterReturn((view, run) => {
  const records = recovered(view);
  const told = new Map<string, number>();
  const sent = new Map<string, Set<number>>();
  let recordCount = 0;
  for (const { dir, name, values } of records) {
    const block = values['block'] as string;
    if (dir === 'ret' && name === 'RECEIVED_BITMAP') told.set(block, values['received'] as number);
    if (dir !== 'fwd' || (name !== 'PAGE' && name !== 'ZERO')) continue;
    recordCount += 1;
    const offsets = sent.get(block) ?? new Set();
    sent.set(block, offsets.add(values['offset'] as number));
  }
  const wanted = view.report.blocks.map(({ block, lengthBytes }) => ({
    block,
    missing: lengthBytes / TARGET_PAGE_BYTES - (told.get(block) ?? 0),
    sent: sent.get(block)?.size ?? 0,
  }));
  const expected = wanted.map(({ block, missing }) => `${missing} pages of ${block}`).join(', ');
  const seen = wanted.map((block) => `${block.sent} pages of ${block.block}`).join(', ');
  const distinct = wanted.reduce((sum, block) => sum + block.sent, 0);
  if (wanted.some(({ missing, sent: count }) => missing !== count)) return failed(expected, seen);
  if (recordCount !== distinct) return failed(expected, `${recordCount - distinct} pages twice`);
  return hasCompleted(view, run) ? passed(expected, seen) : failed(expected, whyNotCompleted(view, run));
});

/** QEMU 7.2 waits in the second for ever. */
const PAUSED = ['postcopy-paused', 'postcopy-recover'];

/** S37, S38: a wrong answer is refused, and the source does not go on. */
export const staysPaused: SourceJudge = afterReturn((view, run) => {
  const expected = 'it closes the connection, sends no page, and goes no further';
  const records = recovered(view);
  const pages = records.filter(({ name }) => name === 'PAGE' || name === 'ZERO').length;
  if (view.closedAt[1] === undefined) return failed(expected, `it stayed connected; ${endWords(run)}`);
  if (pages > 0) return failed(expected, `${pages} pages`);
  const { status } = run.end;
  const isRight = status === undefined ? run.end.exitCode !== 0 : PAUSED.includes(status);
  return isRight ? passed(expected, endWords(run)) : failed(expected, endWords(run));
});
