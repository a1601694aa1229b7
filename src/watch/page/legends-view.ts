// The legends: what each colour of the map and of the lanes means, with how many pages there are of each.
import { CAUSE_ORDER, PART_WORDS } from '../model/describe-now.ts';
import type { EndName } from '../model/frame.ts';
import { DESTINATION_CODES, SOURCE_CODES } from '../model/page-codes.ts';
import { bytesText } from '../model/quantities.ts';
import { causeOf } from '../model/stall-lanes.ts';
import { byId, make, setText, swatch } from './elements.ts';
import { CAUSE_COLORS, STATE_COLORS } from './palette.ts';
import type { Moment } from './session.ts';

/** The legends. */
export class LegendsView {
  #mapEnd: EndName | undefined;
  #mapCounts = new Map<number, HTMLElement>();
  #causes = '';

  /** Draws what changed. */
  draw({ run, at }: Moment, end: EndName): void {
    if (this.#mapEnd !== end) this.#makeMapLegend(end);
    const counts = new Map<number, number>();
    for (const map of run.ends[end].pages.stateAt(at).values()) {
      for (const code of this.#mapCounts.keys())
        counts.set(code, (counts.get(code) ?? 0) + map.counts[code]! * map.unitBytes);
    }
    for (const [code, element] of this.#mapCounts) {
      const bytes = counts.get(code) ?? 0;
      setText(element, bytes > 0 ? bytesText(bytes) : '');
    }
    // Causes that the last stalls of the lanes had; before there are any, what is sure to be seen.
    const seen = new Set<string>();
    for (const lane of run.lanes) for (const stall of lane.stalls.slice(-200)) seen.add(causeOf(stall));
    const causes = CAUSE_ORDER.filter((cause) => seen.has(cause));
    if (causes.join() !== this.#causes || byId('lanes-legend').childElementCount === 0)
      this.#makeLanesLegend(causes);
  }

  #makeMapLegend(end: EndName): void {
    this.#mapEnd = end;
    this.#mapCounts = new Map();
    const codes = end === 'destination' ? DESTINATION_CODES : SOURCE_CODES;
    byId('map-legend').replaceChildren(
      ...codes.map(({ code, name, doc }) => {
        const item = make('li');
        item.title = doc;
        const count = make('span', 'count');
        this.#mapCounts.set(code, count);
        item.append(swatch(STATE_COLORS[code]!), make('span', '', name), count);
        return item;
      }),
    );
  }

  #makeLanesLegend(causes: readonly string[]): void {
    this.#causes = causes.join();
    const items = [
      { color: 'running', name: 'running', doc: 'high: the vCPU runs' },
      { color: 'accent', name: 'switchover', doc: 'the guest is on its way, nobody runs it' },
      { color: 'requested', name: 'standing still now', doc: 'low: it waits for a page' },
      ...causes.map((cause) => ({ color: CAUSE_COLORS[cause]!, ...PART_WORDS[cause]! })),
    ];
    byId('lanes-legend').replaceChildren(
      ...items.map(({ color, name, doc }) => {
        const item = make('li');
        item.title = doc;
        item.append(swatch(color), make('span', '', name));
        return item;
      }),
    );
  }
}
