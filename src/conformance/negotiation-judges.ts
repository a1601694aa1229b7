// What a source must do that offers host page negotiation (docs/protocol.md, section 8).
import { NEGOTIATION_COOKIE } from '../protocol/negotiation-messages.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import type { Finding } from './rule.ts';
import type { Run } from './scenario.ts';
import { LARGER_PAGE_BYTES, namedBlock } from './scripts-negotiation.ts';
import {
  anomalyOf,
  endWords,
  failed,
  hasCompleted,
  inPostcopy,
  notRun,
  passed,
  type SourceJudge,
  whyNotCompleted,
} from './source-findings.ts';
import { leaves, pauses } from './source-leaving-judges.ts';
import { firstFromDestination, firstFromSource, offersNegotiation, type SourceView } from './source-view.ts';
import type { Subject } from './subject.ts';

/** Judges a source that negotiates; another is not concerned. */
export function negotiating(judge: SourceJudge): SourceJudge {
  return (view, run, subject) =>
    offersNegotiation(view, NEGOTIATION_COOKIE)
      ? judge(view, run, subject)
      : notRun('the source does not negotiate: its first PING is not "HPS1"');
}

/** The page of a block in the scenario with larger pages. */
export function largerPageOf(block: string, subject: Subject): number {
  return block === namedBlock(subject).name ? LARGER_PAGE_BYTES : TARGET_PAGE_BYTES;
}

/** Placement pages of 64 KiB: advised, discarded and sent whole. */
export const placesInLargerPages = negotiating(
  inPostcopy((view, run, subject) => placesIn(view, run, LARGER_PAGE_BYTES + TARGET_PAGE_BYTES, subject)),
);

/** A host page that is placed in pieces does not show on the wire. */
export const placesInSmallerPages = negotiating(
  inPostcopy((view, run, subject) => placesIn(view, run, TARGET_PAGE_BYTES, subject)),
);

function placesIn(view: SourceView, run: Run, summaryOfAll: number, { blocks }: Subject): Finding {
  // Where all RAM is the one block that was named, nothing has the default page.
  const hasOthers = view.report.blocks.length > 1 || blocks.length > 1;
  const larger = summaryOfAll - TARGET_PAGE_BYTES;
  const summary = hasOthers || larger === 0 ? summaryOfAll : larger;
  const expected = `summary ${summary}, discards and pages in whole placement pages, and it completes`;
  const advised = view.records[firstFromSource(view, 'POSTCOPY_ADVISE')]?.values['pageSizeSummary'];
  if (advised !== summary) return failed(expected, `summary ${String(advised)}`);
  const anomaly = anomalyOf(view, ['S3', 'S11', 'S18', 'D39', 'D40', 'D79']);
  if (anomaly !== undefined) return failed(expected, anomaly);
  const seen = `summary ${summary}, ${view.report.discards.ranges} ranges discarded`;
  return hasCompleted(view, run) ? passed(expected, seen) : failed(expected, whyNotCompleted(view, run));
}

function reasonOf({ records }: SourceView): string | undefined {
  const reason = records.find(({ dir, name }) => dir === 'fwd' && name === 'REASON');
  return reason === undefined ? undefined : String(reason.values['text']);
}

/** N1: the PING stands in the place of the first, and its PONG is awaited. */
export const waitsForAnswer = negotiating((view, run) => {
  const expected = 'PING "HPS1" behind OPEN_RETURN_PATH, and nothing before its PONG';
  const ping = firstFromSource(view, 'PING');
  const isInPlace = view.records[ping - 1]?.name === 'OPEN_RETURN_PATH';
  if (!isInPlace || view.records[ping]?.values['value'] !== NEGOTIATION_COOKIE) {
    return failed(expected, 'another PING, or another place');
  }
  const pong = firstFromDestination(view, 'PONG');
  const early = view.records.slice(ping + 1, pong).filter(({ dir }) => dir === 'fwd');
  if (early.length > 0) return failed(expected, `${early[0]!.name} before the PONG`);
  return hasCompleted(view, run) ? passed(expected, 'nothing') : failed(expected, whyNotCompleted(view, run));
});

/** N4, N7, N8, N9: refused before ADVISE, and the guest goes on at the source. */
export const refuses = negotiating((view, run, subject) => {
  const expected = 'it says why and leaves before ADVISE, and its guest goes on';
  const sent = ['POSTCOPY_ADVISE', 'SECTION_START', 'PAGE', 'ZERO', 'POSTCOPY_RAM_DISCARD'].find(
    (name) => firstFromSource(view, name) >= 0,
  );
  if (sent !== undefined) return failed(expected, `${sent} was sent`);
  const left = leaves(view, run, subject);
  if (left.verdict !== 'passed') return left;
  const { guestRuns, status } = run.end;
  if (guestRuns === false) return failed(expected, 'its guest stands still');
  if (status !== undefined && status !== 'failed') return failed(expected, `status ${status}`);
  const reason = reasonOf(view);
  if (reason === undefined) return failed(expected, 'it left without a reason');
  return passed(expected, `REASON ${JSON.stringify(reason)}`);
});

/** N9: the refusal names block, sizes and rule. `block` is the name that has to stand in it. */
export function refusesByName(blockOf: (subject: Parameters<SourceJudge>[2]) => string): SourceJudge {
  return negotiating((view, run, subject) => {
    const refused = refuses(view, run, subject);
    if (refused.verdict !== 'passed') return refused;
    const expected = `a reason that names ${blockOf(subject)} and sizes`;
    const reason = reasonOf(view)!;
    const isTold = reason.includes(blockOf(subject)) && /\d/.test(reason);
    return isTold ? passed(expected, reason) : failed(expected, reason);
  });
}

/** N12: it says why it leaves. */
export const saysWhy = negotiating((view, run, subject) => {
  const left = leaves(view, run, subject);
  if (left.verdict !== 'passed') return left;
  const expected = 'REASON before it leaves';
  const reason = reasonOf(view);
  return reason === undefined ? failed(expected, 'none') : passed(expected, reason);
});

/** N12: never said to a peer without the extension. */
export const saysNothingNew: SourceJudge = (view) => {
  const expected = 'no REASON to a destination that did not answer HOST_PAGE';
  const reason = reasonOf(view);
  return reason === undefined
    ? passed(expected, 'none')
    : failed(expected, `REASON ${JSON.stringify(reason)}`);
};

/** N14: nothing follows a REASON. */
export const endsWithReason = negotiating((view) => {
  const expected = 'nothing behind REASON';
  const at = firstFromSource(view, 'REASON');
  if (at < 0) return notRun('it said no REASON');
  const behind = view.records.slice(at + 1).filter(({ dir }) => dir === 'fwd');
  return behind.length === 0 ? passed(expected, 'nothing') : failed(expected, behind[0]!.name);
});

/** N14: the destination never ran the guest, so it goes on at the source. */
export const guestGoesOn = negotiating((_view, run) => {
  const { guestRuns, status } = run.end;
  if (guestRuns === undefined) return notRun('the source does not tell what becomes of its guest');
  const expected = 'the guest goes on at the source';
  return guestRuns ? passed(expected, `status ${status}`) : failed(expected, endWords(run));
});

/** N14: the destination may have run the guest. */
export const guestStays = negotiating(inPostcopy((view, run, subject) => pauses(view, run, subject)));
