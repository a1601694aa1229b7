// What a source sends over its preempt channel, and when it opens that.

import { requestAnswers } from './request-answers.ts';
import type { Finding } from './rule.ts';
import type { Run } from './scenario.ts';
import { anomalyOf, failed, inPostcopy, notRun, passed, type SourceJudge } from './source-findings.ts';
import { firstFromDestination, firstFromSource, type PassedRecord, type SourceView } from './source-view.ts';

function onPreempt({ records }: SourceView): PassedRecord[] {
  return records.filter(({ dir, stream }) => dir === 'fwd' && stream === 'preempt');
}

function opened({ exchange }: Run, conn: number): number | undefined {
  return exchange.openings.find((opening) => opening.conn === conn)?.tSeconds;
}

/** Judges runs with two connections. */
function withTwo(judge: SourceJudge): SourceJudge {
  return inPostcopy((view, run, subject): Finding => {
    if (opened(run, 1) !== undefined) return judge(view, run, subject);
    return failed('a second connection', 'only one');
  });
}

/** S40: main first, both at setup; EOS ends the preempt channel. */
export const opensAtSetup: SourceJudge = withTwo((view, run) => {
  const expected = 'the main channel first, the preempt channel before postcopy, and one EOS at its end';
  const discard = view.records[firstFromSource(view, 'POSTCOPY_RAM_DISCARD')];
  const main = view.records.find(({ dir, stream }) => dir === 'fwd' && stream === 'main');
  if (main?.conn !== 0) return failed(expected, 'the preempt channel first');
  if (discard !== undefined && opened(run, 1)! > discard.tSeconds) {
    return failed(expected, 'the preempt channel only when postcopy began');
  }
  const records = onPreempt(view);
  const ends = records.filter(({ name }) => name === 'EOS').length;
  if (ends === 0) return failed(expected, 'no EOS at the end of the preempt channel');
  return passed(expected, `${records.length - ends} pages, and EOS`);
});

/** S41: the preempt channel is opened for postcopy, after a PONG, and has no EOS. */
export const opensForPostcopy: SourceJudge = withTwo((view, run) => {
  const expected = 'the preempt channel after a PONG, and no EOS on it';
  const pong = view.records[firstFromDestination(view, 'PONG')];
  if (pong === undefined || opened(run, 1)! < pong.tSeconds) return failed(expected, 'before any PONG');
  const ends = onPreempt(view).filter(({ name }) => name === 'EOS').length;
  return ends === 0 ? passed(expected, 'after a PONG, no EOS') : failed(expected, 'EOS');
});

/** S42: what is on the preempt channel was asked for, and is whole. */
export const sendsRequestedWhole: SourceJudge = withTwo((view) => {
  const expected = 'requested host pages, each whole on one channel, and no others on the preempt channel';
  const split = anomalyOf(view, ['S42', 'D79', 'S18']);
  if (split !== undefined) return failed(expected, split);
  const answers = requestAnswers(view.records);
  const asked = new Set(answers.map(({ block, hostPage }) => `${hostPage} ${block}`));
  const hostPageBytes = new Map(view.report.blocks.map((block) => [block.block, block.hostPageBytes]));
  const surplus = onPreempt(view).filter(({ name, values }) => {
    if (name !== 'PAGE' && name !== 'ZERO') return false;
    const { block, offset } = values as { block: string; offset: number };
    return !asked.has(`${Math.floor(offset / (hostPageBytes.get(block) ?? 1))} ${block}`);
  });
  if (surplus.length > 0) return failed(expected, `${surplus.length} pages that nobody had asked for`);
  const answered = answers.filter(({ isAnswered }) => isAnswered);
  const there = answered.filter(({ conn }) => conn === 1).length;
  if (answered.length === 0) return notRun('no request was answered: give it more RAM, or less bandwidth');
  const seen = `${there} of ${answered.length} requested pages on the preempt channel`;
  return there > 0 ? passed(expected, seen) : failed(expected, seen);
});
