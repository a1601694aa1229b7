// The colours of the style sheet for what is drawn on canvas, resolved anew when light turns to dark.

/** Names of custom properties that canvases draw with. */
const NAMES = [
  ...['ground', 'panel', 'ink', 'soft', 'faint', 'line', 'grid', 'accent', 'accent-soft', 'good', 'bad'],
  ...['missing', 'missing-b', 'requested', 'arriving', 'push', 'request', 'zero', 'discarded', 'precopy'],
  ...['tosend', 'sent', 'dirty', 'running'],
  ...['trap', 'requestway', 'sourcewait', 'wire', 'rest', 'copy', 'wake'],
] as const;

/** Property that colours each state of a page, by its code. */
export const STATE_COLORS = [
  ...['missing', 'requested', 'arriving', 'push', 'request', 'zero', 'discarded', 'precopy'],
  ...['tosend', 'sent', 'dirty'],
] as const;

/** Property that colours each cause of a stall and each part of one. */
export const CAUSE_COLORS: Readonly<Record<string, string>> = {
  trap: 'trap',
  requestWay: 'requestway',
  sourceWait: 'sourcewait',
  wire: 'wire',
  restOfPage: 'rest',
  copy: 'copy',
  wake: 'wake',
  asked: 'wire',
  came: 'rest',
  request: 'request',
  push: 'push',
};

/** Resolved colours. */
export class Palette {
  readonly #probe = document.createElement('span');
  readonly #colors = new Map<string, string>();
  /** Grows when colours change. */
  version = 0;

  constructor() {
    this.#probe.hidden = true;
    document.body.append(this.#probe);
    this.refresh();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.refresh());
  }

  /** Reads all colours again. */
  refresh(): void {
    for (const name of NAMES) {
      this.#probe.style.color = `var(--${name})`;
      this.#colors.set(name, getComputedStyle(this.#probe).color);
    }
    this.version += 1;
  }

  /** A colour as canvases take it. */
  color(name: string): string {
    return this.#colors.get(name) ?? 'gray';
  }

  /** A colour as red, green and blue. */
  rgb(name: string): readonly [number, number, number] {
    const [red = 128, green = 128, blue = 128] = (this.color(name).match(/[\d.]+/g) ?? []).map(Number);
    return [red, green, blue];
  }
}

/** Lets the reader choose light or dark, and keeps the choice for this browser. */
export function wireTheme(button: HTMLButtonElement, palette: Palette): void {
  const KEY = 'postcopy-theme';
  const root = document.documentElement;
  const apply = (theme: string | null): void => {
    if (theme === 'light' || theme === 'dark') root.dataset['theme'] = theme;
    palette.refresh();
  };
  apply(localStorage.getItem(KEY));
  button.addEventListener('click', () => {
    const isDark =
      getComputedStyle(root).colorScheme === 'dark' ||
      (root.dataset['theme'] === undefined && matchMedia('(prefers-color-scheme: dark)').matches);
    const theme = isDark ? 'light' : 'dark';
    localStorage.setItem(KEY, theme);
    apply(theme);
  });
}
