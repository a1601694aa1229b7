// How a source ends: by postcopy, by precopy, and waiting for SHUT (S32, S34, S45).
import type { Finding } from './rule.ts';
import type { Run } from './scenario.ts';
import {
  endWords,
  failed,
  faultless,
  hasCompleted,
  notRun,
  passed,
  type SourceJudge,
  whyNotCompleted,
} from './source-findings.ts';
import {
  firstFromDestination,
  firstFromSource,
  mainRecords,
  namesOf,
  type SourceView,
} from './source-view.ts';

/** S32: END of ram, EOF, and nothing behind it. */
export const endsInOrder: SourceJudge = (view) => {
  const expected = 'END of ram, EOS, SECTION_FOOTER, EOF, and nothing behind it';
  const main = mainRecords(view).filter(({ stream }) => stream === 'main');
  const end = main.findLastIndex(({ name }) => name === 'SECTION_END');
  const tail = main.slice(end).filter(({ name }) => name !== 'PAGE' && name !== 'ZERO');
  const isRight = end >= 0 && namesOf(tail) === 'SECTION_END, EOS, SECTION_FOOTER, EOF';
  const seen = end < 0 ? namesOf(main.slice(-5)) : namesOf(tail);
  const eof = tail.at(-1);
  const behind = eof === undefined ? 0 : view.sentBytes[eof.conn]! - eof.offset - eof.lengthBytes;
  const fault = view.error?.message ?? (behind > 0 ? `${seen} and ${behind} bytes behind it` : seen);
  return faultless(expected, isRight && behind === 0 && view.error === undefined ? undefined : fault, seen);
};

/** S34: it stays and waits for a SHUT that comes late. */
export const waitsForShut: SourceJudge = (view, run) => {
  const expected = 'it stays connected until SHUT, and completes then';
  const shut = view.records[firstFromDestination(view, 'SHUT')];
  const closed = view.closedAt[0];
  if (firstFromSource(view, 'EOF') < 0) return notRun('EOF did not come');
  if (shut === undefined || (closed !== undefined && closed < shut.tSeconds)) {
    return failed(expected, 'it closed the connection before SHUT');
  }
  return hasCompleted(view, run)
    ? passed(expected, endWords(run))
    : failed(expected, whyNotCompleted(view, run));
};

/** S45: precopy that converges is finished as precopy. */
export const finishesPrecopy: SourceJudge = (view, run): Finding => {
  const expected = 'END of ram, devices, EOF, VMDESCRIPTION, and it completes';
  const main = mainRecords(view);
  if (main.some(({ name }) => name === 'POSTCOPY_LISTEN')) {
    return notRun('it switched to postcopy: --variant precopy must start a source that converges');
  }
  const end = main.findLastIndex(({ name }) => name === 'SECTION_END');
  const tail = main.slice(end).filter(({ name }) => name !== 'PAGE' && name !== 'ZERO');
  const kinds = namesOf(tail).replaceAll(/(SECTION_FULL, DEVICE_STATE, SECTION_FOOTER, )+/g, 'devices, ');
  const isRight = kinds === 'SECTION_END, EOS, SECTION_FOOTER, devices, EOF, VMDESCRIPTION';
  if (!isRight) return failed(expected, end < 0 ? namesOf(main.slice(-5)) : kinds);
  return completesAfter(view, run, expected);
};

function completesAfter(view: SourceView, run: Run, expected: string): Finding {
  return hasCompleted(view, run)
    ? passed(expected, endWords(run))
    : failed(expected, whyNotCompleted(view, run));
}
