// Finds and makes elements of the page. Text from a feed only ever becomes text.

/** The element of that id, which index.html has. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no #${id}`);
  return found as T;
}

/** A new element with a class and text. */
export function make(tag: string, className = '', text = ''): HTMLElement {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  if (text !== '') element.textContent = text;
  return element;
}

/** Sets the text, if it is another: an unchanged one costs no layout and is not read aloud again. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A square of a colour of the style sheet. */
export function swatch(color: string): HTMLElement {
  const square = make('span', 'swatch');
  square.style.background = `var(--${color})`;
  return square;
}

/** A figure beside a title; its colour makes it the legend of what is drawn in it. */
export interface Figure {
  readonly text: string;
  readonly color?: string;
}

/** Shows figures, if they are others. */
export function setFigures(element: HTMLElement, figures: readonly Figure[]): void {
  const key = figures.map(({ text, color }) => `${text}${color}`).join();
  if (element.dataset['shown'] === key) return;
  element.dataset['shown'] = key;
  element.replaceChildren(
    ...figures.map(({ text, color }) => {
      const figure = make('span', 'figure');
      if (color !== undefined) figure.append(swatch(color));
      figure.append(text);
      return figure;
    }),
  );
}

/** Presses one button of a group, and no other. */
export function pressOne(group: Iterable<HTMLElement>, isPressed: (button: HTMLElement) => boolean): void {
  for (const button of group) button.setAttribute('aria-pressed', String(isPressed(button)));
}
