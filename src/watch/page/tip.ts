// The small panel beside the pointer.
import { byId, make } from './elements.ts';

/** What it says: the same for eyes and ears. */
export interface Told {
  readonly title: string;
  readonly rows: readonly (readonly [name: string, value: string])[];
  /** Rows below a line. */
  readonly history: readonly (readonly [name: string, value: string])[];
  readonly words: string;
}

const DISTANCE = 14;

/** The panel. */
export class Tip {
  readonly #element = byId('tip');

  /** Shows it near a point, within the window. */
  show(told: Told, x: number, y: number): void {
    const rowOf = ([name, value]: readonly [string, string]): HTMLElement => {
      const row = make('div', 'row');
      row.append(make('span', '', name), make('span', '', value));
      return row;
    };
    this.#element.replaceChildren(
      make('b', '', told.title),
      ...told.rows.map(rowOf),
      ...(told.history.length > 0 ? [make('hr'), ...told.history.map(rowOf)] : []),
    );
    this.#element.hidden = false;
    const { offsetWidth, offsetHeight } = this.#element;
    const left = x + DISTANCE + offsetWidth > innerWidth ? x - DISTANCE - offsetWidth : x + DISTANCE;
    const top = y + DISTANCE + offsetHeight > innerHeight ? y - DISTANCE - offsetHeight : y + DISTANCE;
    Object.assign(this.#element.style, { left: `${Math.max(4, left)}px`, top: `${Math.max(4, top)}px` });
  }

  hide(): void {
    this.#element.hidden = true;
  }
}
