// The panel of what the two ends agreed on: page sizes by block, and what the rounding of discards cost.
import { bytesText } from '../model/quantities.ts';
import type { RunModel } from '../model/run-model.ts';
import { lastAt } from '../model/time-order.ts';
import { byId, make, setText } from './elements.ts';
import type { Moment } from './session.ts';

interface AgreedBlock {
  readonly name: string;
  readonly source: number;
  readonly destination: number;
  readonly placement: number;
}

/** Page sizes from the negotiation, or from the layouts of both ends before there was one. */
function agreedBlocks(run: RunModel, at: number): AgreedBlock[] {
  const told = [run.ends.source, run.ends.destination].map(
    (end) => lastAt(end.negotiations, at)?.blocks ?? [],
  );
  const layouts = [run.ends.source, run.ends.destination].map((end) => end.hello?.blocks ?? []);
  const names = new Set([...told, ...layouts].flat().map(({ name }) => name));
  return [...names].map((name) => {
    const [fromSource, fromDestination] = told.map((blocks) => blocks.find((block) => block.name === name));
    const [atSource, atDestination] = layouts.map((blocks) => blocks.find((block) => block.name === name));
    const first = (...sizes: (number | undefined)[]): number =>
      sizes.find((size) => size !== undefined && size > 0) ?? 0;
    return {
      name,
      source: first(
        fromSource?.sourceHostPageBytes,
        fromDestination?.sourceHostPageBytes,
        atSource?.hostPageBytes,
      ),
      destination: first(
        fromSource?.destinationHostPageBytes,
        fromDestination?.destinationHostPageBytes,
        atDestination?.hostPageBytes,
      ),
      placement: first(
        fromSource?.placementPageBytes,
        fromDestination?.placementPageBytes,
        atDestination?.placementPageBytes,
      ),
    };
  });
}

/** The panel. */
export class AgreementView {
  #shown = '';

  /** Draws it, if it changed. */
  draw({ run, at }: Moment): void {
    const blocks = agreedBlocks(run, at);
    const negotiation =
      lastAt(run.ends.source.negotiations, at) ?? lastAt(run.ends.destination.negotiations, at);
    const link = run.ends.source.hello?.link ?? run.ends.destination.hello?.link ?? null;
    const key = JSON.stringify([
      blocks,
      negotiation?.outcome,
      negotiation?.reason,
      negotiation?.amplifiedBytes,
      link,
    ]);
    if (key === this.#shown) return;
    this.#shown = key;
    const words = { negotiated: 'negotiated', legacy: 'no negotiation: a legacy peer', refused: 'refused' };
    setText(byId('negotiation-figure'), negotiation === undefined ? '' : words[negotiation.outcome]);
    const table = document.createElement('table');
    table
      .createTHead()
      .insertRow()
      .append(
        ...['block', 'source', 'destination', 'placed by'].map((name, index) =>
          make('th', index > 0 ? 'number' : '', name),
        ),
      );
    const body = table.createTBody();
    for (const block of blocks) {
      const row = body.insertRow();
      row.insertCell().textContent = block.name;
      for (const size of [block.source, block.destination, block.placement]) {
        const cell = row.insertCell();
        cell.className = size === block.placement && size > 0 ? 'number agreed' : 'number';
        cell.textContent = size > 0 ? bytesText(size) : '–';
      }
    }
    const asides: string[] = [];
    if (negotiation?.outcome === 'refused' || negotiation?.reason) asides.push(negotiation.reason);
    if (negotiation !== undefined && negotiation.amplifiedBytes > 0) {
      asides.push(
        `${bytesText(negotiation.amplifiedBytes)} that were clean were discarded too, to round to placement pages`,
      );
    }
    if (link !== null)
      asides.push(
        `link of ${(link.bytesPerSecond * 8) / 1e9} Gbit/s, round trip ${link.rttNs / 1000} µs, emulated`,
      );
    byId('negotiation').replaceChildren(
      table,
      ...asides.filter(Boolean).map((text) => make('p', 'aside', text)),
    );
  }
}
