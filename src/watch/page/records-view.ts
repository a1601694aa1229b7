// The last records of the stream, as the dissector prints them.
import { END_NAMES, type StreamRecord } from '../model/frame.ts';
import type { RunModel } from '../model/run-model.ts';
import { countUntil } from '../model/time-order.ts';
import { byId, make } from './elements.ts';
import type { Moment } from './session.ts';

const MOST_LINES = 60;

/** The newest records before a moment, oldest first; each end tells what it read. */
function recordsAt(run: RunModel, at: number): StreamRecord[] {
  const found: { at: number; record: StreamRecord }[] = [];
  for (const end of END_NAMES) {
    const { records } = run.ends[end];
    let lines = 0;
    for (let i = countUntil(records, at, (frame) => frame.at) - 1; i >= 0 && lines < MOST_LINES; i -= 1) {
      const frame = records[i]!;
      for (const record of frame.list.toReversed()) found.push({ at: frame.at, record });
      lines += frame.list.length;
    }
  }
  found.reverse();
  found.sort((a, b) => a.at - b.at);
  return found.slice(-MOST_LINES).map(({ record }) => record);
}

/** The panel. */
export class RecordsView {
  #shown = '';

  /** Draws it, if it changed. */
  draw({ run, at }: Moment): void {
    const records = recordsAt(run, at);
    const key = records.map(({ line }) => line).join('\n');
    if (key === this.#shown) return;
    this.#shown = key;
    const panel = byId('records');
    panel.replaceChildren(
      ...records.map(({ direction, line }) => {
        const isBack = direction === 'ret';
        const row = make('div', isBack ? 'record back' : 'record');
        const text = make('span', 'line', line);
        text.title = line;
        row.append(make('span', 'way', isBack ? '←' : '→'), text);
        return row;
      }),
    );
    panel.scrollTop = panel.scrollHeight;
  }
}
