// The controls: shown where the watch and an end allow them, each only while it has an effect.
import { statesAt } from '../model/describe-now.ts';
import type { ControlAnswerFrame, EndState, WatchFrame } from '../model/frame.ts';
import { lastAt } from '../model/time-order.ts';
import { byId, setText } from './elements.ts';
import type { Moment } from './session.ts';

const BEFORE: readonly (EndState | undefined)[] = ['waiting', undefined];
const UNDER_WAY: readonly (EndState | undefined)[] = ['setup', 'active', 'device', 'postcopy-active'];
const OVER: readonly (EndState | undefined)[] = ['completed', 'failed', 'cancelled'];

/** The browser build of msgpack-lite, which index.html loads. */
function encode(value: unknown): Uint8Array {
  return (globalThis as unknown as { msgpack: { encode(value: unknown): Uint8Array } }).msgpack.encode(value);
}

/** The controls. */
export class ControlsView {
  readonly #buttons = [...byId('controls').querySelectorAll<HTMLButtonElement>('button[data-action]')];
  #isPaused = false;

  constructor(send: (bytes: Uint8Array) => boolean, say: (words: string, isBad: boolean) => void) {
    for (const button of this.#buttons) {
      button.addEventListener('click', () => {
        const action =
          button.dataset['action'] === 'pause-push' && this.#isPaused
            ? 'resume-push'
            : button.dataset['action'];
        const link = action === 'link' ? { rate: chosen('link-rate'), rtt: chosen('link-rtt') } : {};
        if (!send(encode({ kind: 'control', action, ...link })))
          say('Not connected: nothing was asked for.', true);
      });
    }
  }

  /** What an end answered, in words. */
  static answerWords({ action, ok, reason }: ControlAnswerFrame): string {
    return ok ? `Done: ${action}.` : `Refused: ${action}${reason === '' ? '' : `, ${reason}`}.`;
  }

  /** Shows what may be done now. */
  draw({ run, isLive }: Moment, watch: WatchFrame | undefined, isNewest: boolean): void {
    const { source, destination } = run.ends;
    const isAllowed =
      watch?.control === true && (source.hello?.control || destination.hello?.control) === true;
    byId('controls').hidden = !isAllowed || !isLive || !isNewest;
    if (!isAllowed) return;
    const states = statesAt(run, run.endAt);
    const state = states.source ?? states.destination;
    const isPostcopy = state === 'postcopy-active';
    this.#isPaused = lastAt(source.rates, run.endAt)?.pushPaused ?? false;
    const isPossible: Readonly<Record<string, boolean>> = {
      start: BEFORE.includes(state) || (OVER.includes(state) && source.hello?.repeat === true),
      switch: state === 'active' || state === 'setup',
      'pause-push': isPostcopy,
      link: source.hello?.link !== null && !OVER.includes(state),
      cancel: UNDER_WAY.includes(state) || BEFORE.includes(state),
    };
    for (const button of this.#buttons) button.disabled = !isPossible[button.dataset['action']!];
    byId('controls').querySelector<HTMLElement>('[data-action="start"]')!.hidden = !(
      source.hello?.hold || source.hello?.repeat
    );
    byId('controls').querySelector<HTMLElement>('.pair')!.hidden = source.hello?.link == null;
    setText(byId('pause'), this.#isPaused ? 'Resume the push' : 'Pause the push');
  }
}

function chosen(id: string): string {
  return byId<HTMLSelectElement>(id).value;
}
