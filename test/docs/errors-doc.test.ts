// docs/errors.md has a heading for every error code of the source, below its class, and for no other.
import t from 'tap';
import { listFiles, readText } from '../fixtures.ts';

/** Codes that are put together at run time, by the pattern that does it. */
const COMPOSED: Readonly<Record<string, readonly string[]>> = {
  'connection-${what}': ['connection-refused', 'connection-reset', 'connection-broken'],
};

/** `Class code` of each error that a text constructs. */
function constructed(text: string): string[] {
  return [...text.matchAll(/\bnew (\w+Error)\(\s*([^,]*?),/g)].flatMap(([, name, first]) =>
    [...first!.matchAll(/'([a-z][a-z0-9-]*)'|`([^`]*)`/g)].flatMap(([, literal, template]) => {
      const codes = literal === undefined ? COMPOSED[template!] : [literal];
      return (codes ?? [`composed in a way that is not known here: ${template}`]).map(
        (code) => `${name} ${code}`,
      );
    }),
  );
}

/** `Class code` of each heading. */
function documented(markdown: string): string[] {
  return markdown
    .split(/^## /m)
    .slice(1)
    .flatMap((section) => {
      const name = section.slice(0, section.indexOf('\n'));
      return [...section.matchAll(/^### (\S+)$/gm)].map(([, code]) => `${name} ${code}`);
    });
}

const source = listFiles('src')
  .filter((path) => path.endsWith('.ts'))
  .flatMap((path) => constructed(readText(path)))
  // Errors of Node, such as a RangeError, have no code of ours.
  .filter((entry) => !/^(Type|Range)Error /.test(entry));
const inSource = new Set([...source, 'Error internal']);
const inDocs = documented(readText('docs/errors.md'));

t.test('every code has its heading', async (t) => {
  t.ok(inSource.size > 100, `${inSource.size} codes are found`);
  t.strictSame(
    [...inSource].filter((entry) => !inDocs.includes(entry)),
    [],
  );
});

t.test('every heading has its code, once', async (t) => {
  t.strictSame(
    inDocs.filter((entry) => !inSource.has(entry)),
    [],
  );
  t.equal(new Set(inDocs).size, inDocs.length);
});

t.test('every heading has a sentence', async (t) => {
  for (const [, code, text] of readText('docs/errors.md').matchAll(/^### (\S+)\n\n(.*)$/gm)) {
    t.match(text, /^[A-Z].*\.$/, `${code}`);
  }
});
