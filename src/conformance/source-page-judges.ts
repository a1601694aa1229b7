// What a source sends: pages, discards, the package, the answers to requests (S7 to S21, S43, S46).
import { requestAnswers } from './request-answers.ts';
import {
  anomalyOf,
  errorOf,
  failed,
  faultless,
  hasCompleted,
  notRun,
  passed,
  type SourceJudge,
  whyNoPostcopy,
  whyNotCompleted,
} from './source-findings.ts';
import { mainRecords } from './source-view.ts';

/** S8: every payload of ram ends with EOS. */
export const endsPayloads: SourceJudge = (view) => {
  const broken = errorOf(view, ['bad-page-flags', 'integer-too-large']);
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

/** The same, of what comes from the switchover on. An error before it counts too. */
export function keepsInPostcopy(
  expected: string,
  rules: readonly string[],
  codes: readonly string[] = [],
): SourceJudge {
  const judge = keeps(expected, rules, codes);
  return (view, run, subject) => {
    const why = errorOf(view, codes) === undefined ? whyNoPostcopy(view) : undefined;
    return why === undefined ? judge(view, run, subject) : notRun(why);
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

/** So many other host pages may be on their way already when a request is read, or this share of what is missing. */
const OTHERS_ALLOWED = 16;
const SHARE_ALLOWED = 1 / 4;
/** A source that sends in bursts, as QEMU does under a bandwidth limit, may have sent one when it reads a request. */
const LATE_ALLOWED = 1 / 4;

/** S20: requested pages come first. */
export const servesRequestsFirst: SourceJudge = (view) => {
  const expected = `three in four requested pages before others: at most ${OTHERS_ALLOWED}, or a quarter of what is missing, first`;
  const answers = requestAnswers(view.records);
  const allowed = (missing: number): number => Math.max(OTHERS_ALLOWED, missing * SHARE_ALLOWED);
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
  const late = judged.filter(({ missingBefore, othersFirst }) => othersFirst > allowed(missingBefore));
  const most = Math.max(...judged.map(({ othersFirst }) => othersFirst));
  const [first] = late;
  const isTooOften = first !== undefined && late.length > judged.length * LATE_ALLOWED;
  const fault = isTooOften
    ? `${late.length} of ${judged.length} late, as ${first.othersFirst} others before host page ${first.hostPage} of ${first.block}`
    : undefined;
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
