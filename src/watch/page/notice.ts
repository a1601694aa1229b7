// Says what is not as it should be, as long as it is so, and what came of something for a moment.
import { setText } from './elements.ts';

const FLASH_MS = 6000;

/** The line below the sentence of now. */
export class Notice {
  readonly #element: HTMLElement;
  readonly #states = new Map<string, string>();
  #flash = '';
  #isBad = false;
  #timer: number | undefined;

  constructor(element: HTMLElement) {
    this.#element = element;
  }

  /** Sets what is the case; nothing if the words are empty. */
  state(name: string, words: string): void {
    this.#states.set(name, words);
    this.#show();
  }

  /** Says something for a while. */
  flash(words: string, isBad: boolean): void {
    this.#flash = words;
    this.#isBad = isBad;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flash('', false), FLASH_MS);
    this.#show();
  }

  #show(): void {
    const words = [this.#flash, ...this.#states.values()].filter(Boolean).join(' ');
    this.#element.hidden = words === '';
    this.#element.classList.toggle('bad', this.#isBad);
    setText(this.#element, words);
  }
}
