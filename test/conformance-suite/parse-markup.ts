// Reads XML, and HTML as we write it, strictly: tags that nest, attributes in quotes, known entities and nothing else.

/** An element with what stands in it. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: (Element | string)[];
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  '#39': "'",
  '#10': '\n',
};
/** Elements of HTML that are never closed. */
const VOID = ['meta', 'input', 'link', 'br'];

const TOKEN =
  /<\?xml version="1\.0" encoding="UTF-8"\?>|<\/([\w-]+)>|<([\w-]+)((?: [\w-]+(?:="[^"<]*")?)*)(\/?)>|([^<]+)/y;

/** The elements at the outside. @throws Error where something is not as it must be */
export function parseMarkup(markup: string, kind: 'xml' | 'html'): Element[] {
  const root: Element = { name: '', attributes: {}, children: [] };
  const open = [root];
  let at = 0;
  while (at < markup.length) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(markup);
    if (match === null) throw new Error(`cannot be read: ${markup.slice(at, at + 60)}`);
    at = TOKEN.lastIndex;
    const [, closed, opened, attributes, selfClosed, content] = match;
    const inside = open.at(-1)!;
    if (content !== undefined) {
      inside.children.push(inside.name === 'style' ? content : plainText(content));
    } else if (closed !== undefined) {
      if (inside.name !== closed) throw new Error(`</${closed}> in <${inside.name}>`);
      open.pop();
    } else if (opened !== undefined) {
      const element: Element = { name: opened, attributes: readAttributes(attributes!), children: [] };
      inside.children.push(element);
      if (selfClosed !== '/' && !(kind === 'html' && VOID.includes(opened))) open.push(element);
    }
  }
  if (open.length > 1) throw new Error(`<${open.at(-1)!.name}> is never closed`);
  return root.children.flatMap((child) => {
    if (typeof child !== 'string') return [child];
    if (child.trim() !== '') throw new Error(`text outside: ${child}`);
    return [];
  });
}

function readAttributes(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [, name, value = ''] of text.matchAll(/ ([\w-]+)(?:="([^"]*)")?/g)) {
    if (found[name!] !== undefined) throw new Error(`${name} twice`);
    found[name!] = plainText(value);
  }
  return found;
}

function plainText(text: string): string {
  return text.replace(/&([^;]*;?)/g, (whole, entity: string) => {
    const character = ENTITIES[entity.replace(/;$/, '')];
    if (character === undefined || !entity.endsWith(';'))
      throw new Error(`unknown entity ${whole.slice(0, 10)}`);
    return character;
  });
}

/** All elements of a name within another, however deep. */
export function elements(element: Element, name: string): Element[] {
  return element.children.flatMap((child) =>
    typeof child === 'string' ? [] : [...(child.name === name ? [child] : []), ...elements(child, name)],
  );
}

/** All text in an element. */
export function textOf(element: Element): string {
  return element.children.map((child) => (typeof child === 'string' ? child : textOf(child))).join('');
}
