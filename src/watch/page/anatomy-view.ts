// The anatomy of one stall: how long, for which page, and where the time went, hop by hop.
import { PART_WORDS } from '../model/describe-now.ts';
import type { Fault } from '../model/frame.ts';
import { bytesText, durationText, momentText, offsetText, percentText } from '../model/quantities.ts';
import { partsOf } from '../model/stall-lanes.ts';
import { lastAt } from '../model/time-order.ts';
import { byId, make, swatch } from './elements.ts';
import { CAUSE_COLORS } from './palette.ts';
import type { Session } from './session.ts';

/** The panel. */
export class AnatomyView {
  readonly #session: Session;
  readonly #panel = byId('anatomy');
  #opener: Element | null = null;

  constructor(session: Session) {
    this.#session = session;
    byId('anatomy-close').addEventListener('click', () => this.close());
    byId('anatomy-previous').addEventListener('click', () => this.#move(-1));
    byId('anatomy-next').addEventListener('click', () => this.#move(1));
    byId('anatomy-longest').addEventListener('click', () => this.#openLongest());
    this.#panel.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.close();
      else if (event.key === 'ArrowLeft') this.#move(-1);
      else if (event.key === 'ArrowRight') this.#move(1);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /** Shows a stall. */
  open(vcpu: number, stall: Fault): void {
    if (this.#panel.hidden) this.#opener = document.activeElement;
    const { model } = this.#session.shown;
    const total = stall.running - stall.fault;
    const parts = partsOf(stall);
    const floor = lastAt(model.ends.destination.stalls, model.endAt)?.floor ?? null;
    const block = model.ends.destination.hello?.blocks.find(({ name }) => name === stall.block);
    const page =
      block === undefined ? 'page' : `page of ${bytesText(block.placementPageBytes || block.hostPageBytes)}`;
    const how =
      stall.by === 'push' ? 'it was on its way already, pushed' : 'it came because it was asked for';
    const moment = momentText(stall.fault - model.startAt);
    const about = `vCPU ${vcpu} touched ${stall.block} at ${offsetText(stall.offset)}, ${moment} into the run, and waited for the ${page}: ${how}.`;
    const bar = make('div', 'hops');
    for (const { cause, ns } of parts) {
      const piece = make('span');
      Object.assign(piece.style, {
        width: `${(100 * ns) / Math.max(1, total)}%`,
        background: `var(--${CAUSE_COLORS[cause]})`,
      });
      bar.append(piece);
    }
    const table = document.createElement('table');
    for (const { cause, ns } of parts) {
      const row = table.insertRow();
      const name = row.insertCell();
      const words = make('div', '', PART_WORDS[cause]!.name);
      words.append(make('br'), make('small', '', PART_WORDS[cause]!.doc));
      name.append(swatch(CAUSE_COLORS[cause]!), words);
      row.insertCell().append(make('span', '', durationText(ns)));
      row.insertCell().append(make('span', '', percentText(ns / Math.max(1, total))));
      for (const cell of [row.cells[1]!, row.cells[2]!]) cell.className = 'number';
    }
    const beside = floor === null ? '' : `The wire alone needs ${durationText(floor)} for such a page.`;
    byId('anatomy-body').replaceChildren(
      make('p', 'total', durationText(total)),
      make('p', 'about', about),
      bar,
      table,
      make('p', 'aside', beside),
    );
    this.#panel.hidden = false;
    byId('anatomy-close').focus();
  }

  /** Hides it, and goes back to where the reader was. */
  close(): void {
    if (this.#panel.hidden) return;
    this.#panel.hidden = true;
    this.#session.stall = undefined;
    this.#session.version += 1;
    if (this.#opener instanceof HTMLElement) this.#opener.focus();
  }

  #move(by: number): void {
    const chosen = this.#session.stall;
    const lane = chosen && this.#session.shown.model.lanes[chosen.vcpu];
    const stall = lane?.stalls[lane.indexAt(chosen!.fault) + by];
    if (stall !== undefined) this.#choose(chosen!.vcpu, stall);
  }

  #openLongest(): void {
    let found: Fault | undefined;
    for (const lane of this.#session.shown.model.lanes) {
      for (const stall of lane.stalls) {
        if (found === undefined || stall.running - stall.fault > found.running - found.fault) found = stall;
      }
    }
    if (found !== undefined) this.#choose(found.vcpu, found);
  }

  #choose(vcpu: number, stall: Fault): void {
    this.#session.stall = { vcpu, fault: stall.fault };
    this.#session.version += 1;
    this.open(vcpu, stall);
  }
}
