// Builds markup, HTML and SVG alike; every text is escaped.

/** Markup that is whole and escaped. */
export interface Markup {
  readonly markup: string;
}

/** What may stand inside an element: texts are escaped, markup stands as it is. */
export type Content = Markup | string | readonly Content[];

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const VOID = ['meta'];

function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character]!);
}

function render(content: Content): string {
  if (typeof content === 'string') return escapeText(content);
  if ('markup' in content) return content.markup;
  return content.map(render).join('');
}

/** A coordinate: more digits than a screen shows only make the page larger. */
function attribute(value: string | number): string {
  return escapeText(typeof value === 'number' ? String(Math.round(value * 100) / 100) : value);
}

/** An element. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number>> = {},
  ...content: readonly Content[]
): Markup {
  const opening = Object.entries(attributes).map(([key, value]) => ` ${key}="${attribute(value)}"`);
  const inner = render(content);
  const closing = VOID.includes(name) ? '' : `</${name}>`;
  return { markup: `<${name}${opening.join('')}>${inner}${closing}` };
}

/** A stylesheet of ours, which is no text to escape. */
export function stylesheet(css: string): Markup {
  return { markup: `<style>${css}</style>` };
}
