// Tells of one cell of the RAM map: which pages it is, what state they are in, and what became of them.
import type { BlockLayout } from '../model/frame.ts';
import type { MapSpot } from '../model/map-layout.ts';
import type { MapTrack } from '../model/map-track.ts';
import { CODE_COUNT, codeName } from '../model/page-codes.ts';
import type { PageMap } from '../model/page-map.ts';
import { bytesText, countText, momentText, offsetText } from '../model/quantities.ts';
import type { Told } from './tip.ts';

const MOST_CHANGES = 7;

/** What is known around a cell. */
export interface SpotContext {
  readonly map: PageMap | undefined;
  readonly block: BlockLayout | undefined;
  readonly pages: MapTrack;
  readonly at: number;
  readonly startAt: number;
}

/** What there is to tell of a cell. */
export function describeSpot(spot: MapSpot, { map, block, pages, at, startAt }: SpotContext): Told {
  const { region, entry, count } = spot;
  const offset = entry * region.unitBytes;
  const hostPage = block?.hostPageBytes ?? 0;
  const placement = block?.placementPageBytes ?? 0;
  const rows: [string, string][] = [['offset', offsetText(offset)]];
  if (count > 1) rows.push(['pages', `${countText(count)} of ${bytesText(region.unitBytes)}`]);
  else rows.push(['page', `${countText(entry)} of ${bytesText(region.unitBytes)}`]);
  if (placement > region.unitBytes)
    rows.push(['in placement page', `${Math.floor(offset / placement)} of ${bytesText(placement)}`]);
  else if (hostPage > region.unitBytes)
    rows.push(['in host page', `${Math.floor(offset / hostPage)} of ${bytesText(hostPage)}`]);
  const states = countStates(map, entry, count);
  const state = count === 1 ? (states[0]?.[0] ?? 'missing') : '';
  if (count === 1) rows.push(['state', state]);
  else rows.push(...states.map(([name, pagesIn]): [string, string] => [name, countText(pagesIn)]));
  const history =
    count === 1
      ? pages.historyOf(region.name, entry, at, MOST_CHANGES).map((change): [string, string] => {
          return [momentText(change.at - startAt), codeName(change.state)];
        })
      : [];
  const words = `${region.name}, offset ${offsetText(offset)}, ${states.map(([name, pagesIn]) => (count === 1 ? name : `${pagesIn} ${name}`)).join(', ')}`;
  return { title: region.name, rows, history, words };
}

function countStates(
  map: PageMap | undefined,
  first: number,
  count: number,
): [name: string, pages: number][] {
  const counts = new Array<number>(CODE_COUNT).fill(0);
  for (const state of map?.states.subarray(first, first + count) ?? []) counts[state]! += 1;
  return counts
    .map((pages, code): [string, number] => [codeName(code), pages])
    .filter(([, pages]) => pages > 0)
    .sort(([, a], [, b]) => b - a);
}
