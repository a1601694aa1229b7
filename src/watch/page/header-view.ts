// The head of the page: the states of both ends, what flows between them, and the one sentence of now.
import { describeMoment, presenceAt, statesAt } from '../model/describe-now.ts';
import { END_NAMES, type EndName, type EndState, type WatchFrame } from '../model/frame.ts';
import { rateText } from '../model/quantities.ts';
import { bytesOf } from '../model/throughput.ts';
import { lastAt } from '../model/time-order.ts';
import { ratesEnd } from './charts-view.ts';
import { byId, make, setText } from './elements.ts';
import type { Moment } from './session.ts';

/** The way of a migration that goes well. */
const WAY = ['setup', 'active', 'device', 'postcopy-active', 'completed'] as const;
/** Words are read aloud at most so often, unless the state changes. */
const SPEAK_MS = 6000;

/** The head. */
export class HeaderView {
  #spoken = { states: '', atMs: 0 };
  #shownStates = '';

  /** Shows how both ends are joined. */
  tellConnections(watch: WatchFrame | undefined, isPageConnected: boolean): void {
    for (const end of END_NAMES) {
      const dot = byId(`link-${end}`);
      const joined = watch?.ends.find((entry) => entry.end === end);
      dot.hidden = joined === undefined;
      const isOn = isPageConnected && joined?.isConnected === true;
      dot.className = `link-dot ${isOn ? 'on' : 'off'}`;
      const words = isOn
        ? `joined to the ${end} at ${joined.url}`
        : `not joined to the ${end}: ${joined?.reason ?? ''}`;
      dot.title = words;
      dot.setAttribute('role', 'img');
      dot.setAttribute('aria-label', words);
    }
  }

  /** Draws a moment. */
  draw({ run, at }: Moment): void {
    const states = statesAt(run, at);
    const key = JSON.stringify([states, run.ends.source.states.length, run.ends.destination.states.length]);
    if (key !== this.#shownStates) {
      this.#shownStates = key;
      for (const end of END_NAMES)
        this.#drawStates(
          end,
          states[end],
          run.ends[end].states.filter((entry) => entry.at <= at).map((entry) => entry.state),
        );
    }
    const rates = lastAt(ratesEnd(run).rates, at);
    const flow = rates === undefined ? 0 : (bytesOf(rates) * 1e9) / Math.max(1, rates.intervalNs);
    setText(byId('flow-rate'), flow > 1e4 ? rateText(flow) : '');
    const sentence = describeMoment(run, at);
    setText(byId('now'), sentence);
    const { presentBytes, totalBytes } = presenceAt(run, at);
    byId<HTMLProgressElement>('present').value = totalBytes === 0 ? 0 : presentBytes / totalBytes;
    this.#speak(key, sentence);
  }

  #drawStates(end: EndName, state: EndState | undefined, passed: readonly EndState[]): void {
    const here = state ?? 'waiting';
    const way: EndState[] = WAY.filter(
      (step) => step !== 'device' || passed.includes('device') || end === 'source',
    );
    if (!way.includes(here))
      way.splice(
        Math.max(
          0,
          way.findIndex((step) => !passed.includes(step)),
        ),
        0,
        here,
      );
    const index = way.indexOf(here);
    byId(`states-${end}`).replaceChildren(
      ...way.map((step, position) => {
        const item = make(
          'li',
          position < index ? 'past' : '',
          step === here && state === undefined ? 'not joined' : step,
        );
        item.title = step;
        if (step !== here) return item;
        const tone =
          here === 'completed'
            ? ' good'
            : here === 'failed' || here === 'postcopy-paused' || here === 'cancelled'
              ? ' bad'
              : '';
        item.className = `here${tone}`;
        item.setAttribute('aria-current', 'step');
        return item;
      }),
    );
  }

  #speak(states: string, sentence: string): void {
    const nowMs = performance.now();
    if (states === this.#spoken.states && nowMs - this.#spoken.atMs < SPEAK_MS) return;
    this.#spoken = { states, atMs: nowMs };
    setText(byId('spoken'), sentence);
  }
}
