// How soon a source answered each page request: what it sent of other pages in between.
import { RamAsReceived } from './ram-as-received.ts';
import type { PassedRecord } from './source-view.ts';

/** A request for a page that had not come yet. */
export interface RequestAnswer {
  readonly block: string;
  readonly hostPage: number;
  /** Host pages that were missing when it was asked for. */
  readonly missingBefore: number;
  /** Host pages that nobody had asked for and that came in between. */
  readonly othersFirst: number;
  readonly isAnswered: boolean;
  /** Whether it was answered before END: a source that completes sends all the rest at once, before it can be asked. */
  readonly isBeforeEnd: boolean;
  /** Connection that brought its last target page. */
  readonly conn: number | undefined;
}

interface Pending {
  readonly block: string;
  readonly hostPage: number;
  readonly missingBefore: number;
  readonly othersBefore: number;
}

/** Follows all requests of a run. A request that is repeated counts once. */
export function requestAnswers(records: readonly PassedRecord[]): RequestAnswer[] {
  const ram = new RamAsReceived();
  const pending = new Map<string, Pending>();
  const asked = new Set<string>();
  const answers: RequestAnswer[] = [];
  let missing: number | undefined;
  let others = 0;
  let isEnding = false;
  let named: string | undefined;
  const finish = (key: string, conn: number | undefined): void => {
    const { block, hostPage, missingBefore, othersBefore } = pending.get(key)!;
    pending.delete(key);
    const othersFirst = others - othersBefore;
    const [isAnswered, isBeforeEnd] = [conn !== undefined, !isEnding];
    answers.push({ block, hostPage, missingBefore, othersFirst, isAnswered, isBeforeEnd, conn });
  };
  for (const { dir, conn, name, values, ...record } of records) {
    if (dir === 'fwd') {
      ram.take({ name, values, ...record }, conn);
      isEnding ||= name === 'SECTION_END';
      if (name === 'POSTCOPY_RUN') missing = ram.hostPages((page) => !ram.isHeld(page)).length;
      if ((name !== 'PAGE' && name !== 'ZERO') || missing === undefined) continue;
      const block = values['block'] as string;
      const hostPage = ram.blocks.get(block)?.pages.hostPageAt(values['offset'] as number);
      if (hostPage === undefined || !ram.isHeld({ block, index: hostPage })) continue;
      missing -= 1;
      const key = `${hostPage} ${block}`;
      if (pending.has(key)) finish(key, conn);
      else if (!asked.has(key)) others += 1;
    } else if (name === 'REQ_PAGES' || name === 'REQ_PAGES_ID') {
      named = (values['block'] as string | undefined) ?? named;
      const pages = named === undefined ? undefined : ram.blocks.get(named)?.pages;
      if (pages === undefined) continue;
      const hostPage = pages.hostPageAt(values['start'] as number);
      const key = `${hostPage} ${named}`;
      if (ram.isHeld({ block: named!, index: hostPage }) || asked.has(key)) continue;
      asked.add(key);
      // Before RUN nothing else can come first.
      missing ??= ram.hostPages((page) => !ram.isHeld(page)).length;
      pending.set(key, { block: named!, hostPage, missingBefore: missing, othersBefore: others });
    }
  }
  for (const key of [...pending.keys()]) finish(key, undefined);
  return answers;
}
