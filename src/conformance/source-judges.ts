// What a source must do when all goes well, judged on a whole run.

import { requestAnswers } from './request-answers.ts';
import type { Finding } from './rule.ts';
import type { Run } from './scenario.ts';
import {
  anomalyOf,
  endWords,
  errorOf,
  failed,
  faultless,
  hasCompleted,
  notRun,
  passed,
  type SourceJudge,
  whyNotCompleted,
} from './source-findings.ts';
import { firstFromDestination, firstFromSource, type PassedRecord, type SourceView } from './source-view.ts';
import type { Subject } from './subject.ts';

const SECTION_HEADS = ['SECTION_START', 'SECTION_PART', 'SECTION_END', 'SECTION_FULL'];
const SUBSECTIONS = ['TARGET_PAGE_BITS', 'CAPABILITIES', 'UUID'];
const TARGET_PAGE_BYTES = 4096;

/** Records of the source on its main channel, packages included. */
function mainRecords({ records }: SourceView): PassedRecord[] {
  return records.filter(({ dir, stream }) => dir === 'fwd' && stream !== 'preempt');
}

function names(records: readonly PassedRecord[]): string {
  return records.map(({ name }) => name).join(', ');
}

/** S1: the order of what comes before the first section. */
export const beginsInOrder: SourceJudge = (view) => {
  const expected = 'HEADER, CONFIGURATION, OPEN_RETURN_PATH, PING, POSTCOPY_ADVISE, SECTION_START';
  const main = mainRecords(view);
  const upTo = main.findIndex(({ name }) => name === 'SECTION_START');
  const first = (upTo < 0 ? main : main.slice(0, upTo + 1)).filter(({ name }) => !SUBSECTIONS.includes(name));
  const found = names(first.slice(0, 10));
  return found === expected ? passed(expected, found) : failed(expected, found);
};

/** S2: a footer behind each section. */
export const hasFooters: SourceJudge = (view) => {
  const expected = 'a footer with its id behind every section';
  const main = mainRecords(view);
  const heads = main.filter(({ name }) => SECTION_HEADS.includes(name)).length;
  const footers = main.filter(({ name }) => name === 'SECTION_FOOTER').length;
  const broken = errorOf(view, ['bad-footer']);
  const missing =
    view.error === undefined && heads !== footers ? `${heads - footers} without a footer` : undefined;
  return faultless(expected, broken ?? missing, `${footers} footers`);
};

/** S3: ADVISE tells the page sizes. */
export const advisesPages: SourceJudge = (view) => {
  const expected = 'the OR of the page sizes of the listed blocks, and the target page';
  const advise = view.records[firstFromSource(view, 'POSTCOPY_ADVISE')];
  if (advise === undefined) return failed(expected, 'no ADVISE');
  const { pageSizeSummary, targetPageSize } = advise.values;
  const seen = `summary ${String(pageSizeSummary)}, target page ${String(targetPageSize)}`;
  const wrong = targetPageSize === TARGET_PAGE_BYTES ? anomalyOf(view, ['S3']) : seen;
  return faultless(expected, wrong, seen);
};

/** S4: ADVISE before the RAM list. */
export const advisesFirst: SourceJudge = (view) => {
  const expected = 'ADVISE before the START of ram';
  const [advise, list] = [firstFromSource(view, 'POSTCOPY_ADVISE'), firstFromSource(view, 'MEM_SIZE')];
  if (list < 0) return failed(expected, view.error?.message ?? 'no RAM list');
  const isFirst = advise >= 0 && advise < list;
  return isFirst
    ? passed(expected, 'ADVISE, RAM list')
    : failed(expected, 'a RAM list without ADVISE before it');
};

/** S5: the list adds up, so that the payload goes on behind it. */
export const listAddsUp: SourceJudge = (view) => {
  const expected = 'lengths that add up to the total, and EOS behind them';
  const broken = errorOf(view, ['bad-ram-list', 'too-many-blocks']);
  const main = mainRecords(view);
  const list = main.findIndex(({ name }) => name === 'MEM_SIZE');
  if (list < 0) return failed(expected, broken ?? view.error?.message ?? 'no RAM list');
  const next = main.slice(list + 1).find(({ name }) => !name.startsWith('RAM_LIST'));
  const wrong =
    next?.name === 'EOS' ? undefined : (view.error?.message ?? `${next?.name ?? 'nothing'} behind it`);
  const blocks = main.filter(({ name }) => name === 'RAM_LIST_ENTRY').length;
  return faultless(
    expected,
    broken ?? wrong,
    `${blocks} blocks, total ${String(main[list]!.values['total'])}`,
  );
};

/** S6: a page size exactly where it is not the default. `pageOf` tells the page of a block, if it is known. */
export function listsPageSizes(pageOf: (block: string, subject: Subject) => number | undefined): SourceJudge {
  return (view, _run, subject) => {
    const listed = new Map<string, number | undefined>();
    let last = '';
    for (const { name, values } of mainRecords(view)) {
      if (name === 'RAM_LIST_ENTRY') {
        last = values['block'] as string;
        listed.set(last, undefined);
      } else if (name === 'RAM_LIST_PAGE_SIZE') listed.set(last, values['pageSize'] as number);
    }
    const known = [...listed].filter(([block]) => pageOf(block, subject) !== undefined);
    const wants = (block: string): number | undefined => {
      const page = pageOf(block, subject);
      return page === TARGET_PAGE_BYTES ? undefined : page;
    };
    const tell = (pairs: readonly (readonly [string, number | undefined])[]): string =>
      pairs.map(([block, page]) => `${block} ${page ?? 'none'}`).join(', ');
    const expected = tell(known.map(([block]) => [block, wants(block)]));
    if (known.length === 0) {
      return view.error === undefined
        ? notRun('none of the blocks that were told by --blocks is in the RAM list')
        : failed('a RAM list', view.error.message);
    }
    const isRight = known.every(([block, page]) => page === wants(block));
    return isRight ? passed(expected, tell(known)) : failed(expected, tell(known));
  };
}

/** S8: every payload of ram ends with EOS. */
export const endsPayloads: SourceJudge = (view) => {
  const broken = errorOf(view, ['bad-page-flags']);
  const count = mainRecords(view).filter(({ name }) => name === 'EOS').length;
  return faultless('EOS at the end of every payload of ram', broken, `${count} times EOS`);
};

/** S10 and S46: no records of these names. */
export function sendsNone(flags: readonly string[]): SourceJudge {
  return (view) => {
    const refused = errorOf(view, ['refused-record']);
    const isOne = refused !== undefined && flags.some((flag) => refused.includes(flag));
    return faultless(`no ${flags.join(', ')}`, isOne ? refused : undefined, 'none');
  };
}

/** S43: SWITCHOVER_START is not sent. */
export const sendsNoSwitchover: SourceJudge = (view) => {
  const unknown = errorOf(view, ['unknown-command']);
  const isIt = unknown?.includes('SWITCHOVER_START') === true;
  return faultless('no SWITCHOVER_START', isIt ? unknown : undefined, 'none');
};

/** Nothing that the summary of a run has against these rules, and no error with these codes. */
export function keeps(
  expected: string,
  rules: readonly string[],
  codes: readonly string[] = [],
): SourceJudge {
  return (view) => {
    const { pages, discards } = view.report;
    const seen = `${pages.precopy.data + pages.precopy.zero} pages in precopy, ${discards.pages} discarded, ${pages.postcopy.data + pages.postcopy.zero} in postcopy`;
    return faultless(expected, errorOf(view, codes) ?? anomalyOf(view, rules), seen);
  };
}

/** S14: no page between the first discard and the package, and no discard behind it. */
export const discardsInTime: SourceJudge = (view) => {
  const expected = 'discards behind the last page of precopy and before the package';
  const main = mainRecords(view);
  const discards = main.flatMap(({ name }, index) => (name === 'POSTCOPY_RAM_DISCARD' ? [index] : []));
  const listen = main.findIndex(({ name }) => name === 'POSTCOPY_LISTEN');
  if (discards.length === 0) return failed(expected, 'no discard');
  const between = main
    .slice(discards[0], listen)
    .filter(({ name }) => name === 'PAGE' || name === 'ZERO').length;
  const late = discards.filter((index) => index > listen).length;
  const fault =
    between > 0
      ? `${between} pages behind the first discard`
      : late > 0
        ? `${late} discards behind LISTEN`
        : undefined;
  return faultless(expected, fault, `${discards.length} discards`);
};

/** RAM as it was received is RAM as the source left it, for blocks that the source tells of. */
export const sameRam: SourceJudge = (view, run) => {
  const expected = 'RAM as it is at the source';
  const told = Object.entries(run.end.ramSha256 ?? {}).filter(
    ([block]) => view.ramSha256[block] !== undefined,
  );
  if (told.length === 0) return notRun('the source does not tell the hash of its RAM');
  if (!hasCompleted(view, run)) return failed(expected, whyNotCompleted(view, run));
  const differs = told.filter(([block, hash]) => view.ramSha256[block] !== hash).map(([block]) => block);
  const fault = differs.length === 0 ? undefined : `other RAM in ${differs.join(', ')}`;
  return faultless(expected, fault, `equal: ${told.map(([block]) => block).join(', ')}`);
};

/** So many other host pages may be on their way already when a request is read, or a quarter of what is missing. */
const OTHERS_ALLOWED = 16;
const SHARE_ALLOWED = 4;

/** S20: requested pages come first. */
export const servesRequestsFirst: SourceJudge = (view) => {
  const expected = `each requested page before others: at most ${OTHERS_ALLOWED}, or a quarter of what is missing, first`;
  const answers = requestAnswers(view.records);
  const allowed = (missing: number): number => Math.max(OTHERS_ALLOWED, missing / SHARE_ALLOWED);
  const judged = answers.filter(
    ({ missingBefore, isBeforeEnd }) => isBeforeEnd && missingBefore > 2 * allowed(missingBefore),
  );
  const unanswered = answers.find(({ isAnswered }) => !isAnswered);
  if (unanswered !== undefined && view.report.eof) {
    return failed(
      expected,
      `no answer to the request for host page ${unanswered.hostPage} of ${unanswered.block}`,
    );
  }
  if (judged.length === 0)
    return notRun('too little was left to be asked for: give it more RAM, or less bandwidth');
  const late = judged.find(({ missingBefore, othersFirst }) => othersFirst > allowed(missingBefore));
  const most = Math.max(...judged.map(({ othersFirst }) => othersFirst));
  const fault = late && `${late.othersFirst} others before host page ${late.hostPage} of ${late.block}`;
  return faultless(expected, fault, `${judged.length} requests, at most ${most} others first`);
};

/** S21: requests for pages that have come change nothing. */
export const ignoresCleanRequests: SourceJudge = (view, run) => {
  const expected = 'no answer to requests for pages that have come, and it completes';
  const { alreadySent, repeated } = view.report.requests;
  const fault = anomalyOf(view, ['S18', 'S19']);
  if (fault !== undefined) return failed(expected, fault);
  if (!hasCompleted(view, run)) return failed(expected, whyNotCompleted(view, run));
  if (alreadySent + repeated === 0) return notRun('no page came that could have been asked for again');
  return passed(expected, `${alreadySent} requests for pages that had come, ${repeated} repeated`);
};

/** S32: END of ram, EOF, and nothing behind it. */
export const endsInOrder: SourceJudge = (view) => {
  const expected = 'END of ram, EOS, SECTION_FOOTER, EOF, and nothing behind it';
  const main = mainRecords(view).filter(({ stream }) => stream === 'main');
  const end = main.findLastIndex(({ name }) => name === 'SECTION_END');
  const tail = main.slice(end).filter(({ name }) => name !== 'PAGE' && name !== 'ZERO');
  const isRight = end >= 0 && names(tail) === 'SECTION_END, EOS, SECTION_FOOTER, EOF';
  const seen = end < 0 ? names(main.slice(-5)) : names(tail);
  const error = view.error?.message;
  return faultless(expected, isRight && error === undefined ? undefined : `${seen}${error ?? ''}`, seen);
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
  const kinds = names(tail).replaceAll(/(SECTION_FULL, DEVICE_STATE, SECTION_FOOTER, )+/g, 'devices, ');
  const isRight = kinds === 'SECTION_END, EOS, SECTION_FOOTER, devices, EOF, VMDESCRIPTION';
  if (!isRight) return failed(expected, end < 0 ? names(main.slice(-5)) : kinds);
  return completesAfter(view, run, expected);
};

function completesAfter(view: SourceView, run: Run, expected: string): Finding {
  return hasCompleted(view, run)
    ? passed(expected, endWords(run))
    : failed(expected, whyNotCompleted(view, run));
}
