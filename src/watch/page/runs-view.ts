// The choice of the run that is shown, where the page has seen several.
import { byId } from './elements.ts';
import type { KeptRun, Session } from './session.ts';

/** In a few words, how a run ended. */
function endingOf({ model }: KeptRun): string {
  const state = model.ends.destination.states.at(-1)?.state ?? model.ends.source.states.at(-1)?.state;
  return state ?? 'waiting';
}

/** The choice. */
export class RunsView {
  readonly #session: Session;
  readonly #select = byId<HTMLSelectElement>('runs');
  #shown = '';

  constructor(session: Session) {
    this.#session = session;
    this.#select.addEventListener('change', () => {
      const run = session.runs.find(({ number }) => String(number) === this.#select.value);
      if (run !== undefined) session.show(run);
    });
  }

  /** Draws it, if it changed. */
  draw(): void {
    const { runs, shown } = this.#session;
    const entries = runs.map((run) => [String(run.number), `run ${run.number}: ${endingOf(run)}`] as const);
    const key = JSON.stringify([entries, shown.number]);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#select.hidden = runs.length < 2;
    this.#select.replaceChildren(
      ...entries.map(([value, text]) => new Option(text, value, false, value === String(shown.number))),
    );
  }
}
