// How a source begins: header, ADVISE, the RAM list, footers (S1 to S6).
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import type { Finding } from './rule.ts';
import {
  anomalyOf,
  errorOf,
  failed,
  faultless,
  notRun,
  passed,
  type SourceJudge,
} from './source-findings.ts';
import { firstFromSource, mainRecords, namesOf, type PassedRecord, type SourceView } from './source-view.ts';
import type { Subject } from './subject.ts';

const SECTION_HEADS = ['SECTION_START', 'SECTION_PART', 'SECTION_END', 'SECTION_FULL'];
const SUBSECTIONS = ['TARGET_PAGE_BITS', 'CAPABILITIES', 'UUID'];

/** S1: the order of what comes before the first section. */
export const beginsInOrder: SourceJudge = (view) => {
  const expected = 'HEADER, CONFIGURATION, OPEN_RETURN_PATH, PING, POSTCOPY_ADVISE, SECTION_START';
  const main = mainRecords(view);
  const upTo = main.findIndex(({ name }) => name === 'SECTION_START');
  const first = (upTo < 0 ? main : main.slice(0, upTo + 1)).filter(({ name }) => !SUBSECTIONS.includes(name));
  const found = namesOf(first.slice(0, 10));
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
export const advisesPages: SourceJudge = (view) => advises(view, undefined);

/** S3, of blocks whose pages are known: the list alone does not tell which the default page is. */
export const advisesKnownPages: SourceJudge = (view, _run, { blocks }) => {
  const pages = view.report.blocks.map(
    ({ block }) => blocks.find(({ name }) => name === block)?.hostPageBytes,
  );
  const isKnown = pages.length > 0 && pages.every((page) => page !== undefined);
  // Powers of two that differ: their sum is their OR.
  return advises(view, isKnown ? [...new Set(pages)].reduce((sum, page) => sum + page, 0) : undefined);
};

function advises(view: SourceView, summary: number | undefined): Finding {
  const expected =
    summary === undefined
      ? 'the OR of the page sizes of the listed blocks, and the target page'
      : `summary ${summary}, target page ${TARGET_PAGE_BYTES}`;
  const advise = view.records[firstFromSource(view, 'POSTCOPY_ADVISE')];
  if (advise === undefined) return failed(expected, 'no ADVISE');
  const { pageSizeSummary, targetPageSize } = advise.values;
  const seen = `summary ${String(pageSizeSummary)}, target page ${String(targetPageSize)}`;
  const isRight = targetPageSize === TARGET_PAGE_BYTES && (summary ?? pageSizeSummary) === pageSizeSummary;
  return faultless(expected, isRight ? anomalyOf(view, ['S3']) : seen, seen);
}

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

/** What stands behind the entries of the RAM list: EOS, if its reader and its writer agree about them. */
function followsList(view: SourceView): PassedRecord | undefined {
  const main = mainRecords(view);
  const list = main.findIndex(({ name }) => name === 'MEM_SIZE');
  return main.slice(list + 1).find(({ name }) => !name.startsWith('RAM_LIST'));
}

/** S5: the list adds up, so that the payload goes on behind it. */
export const listAddsUp: SourceJudge = (view) => {
  const expected = 'lengths that add up to the total, and EOS behind them';
  const broken = errorOf(view, ['bad-ram-list', 'too-many-blocks']);
  const main = mainRecords(view);
  const list = main.findIndex(({ name }) => name === 'MEM_SIZE');
  if (list < 0) return failed(expected, broken ?? view.error?.message ?? 'no RAM list');
  const next = followsList(view);
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
    const isOver = followsList(view)?.name === 'EOS';
    const isRight = isOver && known.every(([block, page]) => page === wants(block));
    const seen = `${tell(known)}${isOver ? '' : ', and no EOS behind them'}`;
    return isRight ? passed(expected, seen) : failed(expected, seen);
  };
}

/** S6, of a source with large pages behind some block: which, only the list tells. */
export const listsLargePages: SourceJudge = (view) => {
  const expected = 'the page size of the blocks that have large pages, as in the summary of ADVISE';
  const large = view.report.blocks.filter(({ hostPageBytes }) => hostPageBytes > TARGET_PAGE_BYTES);
  const fault = view.error?.message ?? anomalyOf(view, ['S3']);
  if (large.length === 0) return failed(expected, fault ?? 'no page size in the RAM list');
  const seen = large.map(({ block, hostPageBytes }) => `${block} ${hostPageBytes}`).join(', ');
  return faultless(expected, fault, seen);
};
