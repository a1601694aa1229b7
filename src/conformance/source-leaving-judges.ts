// What a source must do when the destination breaks a rule, or is gone: leave, pause, and keep its guest stopped.

import type { Run } from './scenario.ts';
import { endWords, failed, inPostcopy, notRun, passed, type SourceJudge } from './source-findings.ts';
import { firstFromSource, type SourceView } from './source-view.ts';

const PAUSED = 'postcopy-paused';

function toldCompleted({ end }: Run): boolean {
  return end.status === undefined ? end.exitCode === 0 : end.status === 'completed';
}

/** What it did instead of closing the connection. */
function goesOnWords(view: SourceView, run: Run): string {
  const pages = view.report.pages.postcopy.data + view.report.pages.postcopy.zero;
  const eof = view.report.eof ? ' and EOF' : '';
  return `it stayed connected, sent ${pages} pages in postcopy${eof}; ${endWords(run)}`;
}

/** It closes the connection, and does not complete. */
export const leaves: SourceJudge = (view, run) => {
  const expected = 'it closes the connection, and does not complete';
  if (view.closedAt[0] === undefined) return failed(expected, goesOnWords(view, run));
  return toldCompleted(run) ? failed(expected, endWords(run)) : passed(expected, `closed; ${endWords(run)}`);
};

/** The same, of what is said in postcopy. */
export const leavesInPostcopy = inPostcopy(leaves);

/** S29: SHUT with an error is no success. */
export const failsAtShut: SourceJudge = inPostcopy((view, run) => {
  const expected = 'failed or postcopy-paused, and not completed';
  if (toldCompleted(run)) return failed(expected, endWords(run));
  const { status } = run.end;
  if (status === undefined && view.closedAt[0] === undefined) return failed(expected, goesOnWords(view, run));
  const isRight = status === undefined || status === 'failed' || status === PAUSED;
  return isRight ? passed(expected, endWords(run)) : failed(expected, endWords(run));
});

/** S30, S35: paused, and the guest does not go on at the source. */
export const pauses: SourceJudge = inPostcopy((_view, run) => {
  const { status, guestRuns } = run.end;
  if (status === undefined) return notRun('the source does not tell its status');
  const expected = 'status postcopy-paused, and the guest stands still at the source';
  const guest =
    guestRuns === undefined ? '' : guestRuns ? ', the guest goes on there' : ', the guest stands still';
  const seen = `status ${status}${guest}`;
  return status === PAUSED && guestRuns !== true ? passed(expected, seen) : failed(expected, seen);
});

/** S34: an end without SHUT is no success. */
export const needsShut: SourceJudge = (view, run) => {
  const expected = 'it does not complete without SHUT';
  if (firstFromSource(view, 'EOF') < 0) return notRun('EOF did not come');
  return toldCompleted(run) ? failed(expected, endWords(run)) : passed(expected, endWords(run));
};
