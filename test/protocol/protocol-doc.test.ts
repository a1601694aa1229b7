// docs/protocol.md says what the code does: its tables are the declarations, its examples decode as shown.
// `UPDATE_DOCS=1 npx tap dist/test/protocol/protocol-doc.test.js` writes the tables anew.
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { dissectInPieces } from '../conformance/dissect-vector.ts';
import { encodeBack } from '../conformance/encode-back.ts';
import { parseVectors } from '../conformance/vectors.ts';
import { listFiles, readText, repositoryUrl } from '../fixtures.ts';
import { MESSAGE_TABLES, placesIn, withTables } from './message-tables.ts';

const PATH = 'docs/protocol.md';
if (process.env['UPDATE_DOCS'] === '1') writeFileSync(repositoryUrl(PATH), withTables(readText(PATH)));
const markdown = readText(PATH);

t.test('its tables are printed from the declarations', async (t) => {
  t.strictSame(placesIn(markdown), [...MESSAGE_TABLES.keys()]);
  t.equal(markdown, withTables(markdown));
});

const examples = markdown
  .split(/^### Example: /m)
  .slice(1)
  .flatMap((section) => parseVectors(PATH, `## ${section.split(/^#{2,3} /m)[0]}`));

t.equal(examples.length, 6, 'all examples are read');
for (const example of examples) {
  t.test(`example: ${example.title}`, async (t) => {
    t.strictSame(dissectInPieces(example, [example.bytes.length]), example.lines);
    const isAccepted = !example.lines.at(-1)!.startsWith('error ');
    if (isAccepted) t.strictSame(encodeBack(example), example.bytes);
  });
}

t.test('every rule of the extension that code or vectors name is defined', async (t) => {
  const defined = new Set([...markdown.matchAll(/^- \*\*(N\d+)\*\* /gm)].map((match) => match[1]));
  t.strictSame(
    [...defined],
    Array.from({ length: defined.size }, (_, index) => `N${index + 1}`),
    'in order',
  );
  const files = [
    ...listFiles('src'),
    ...listFiles('test/conformance').filter((file) => file.endsWith('.md')),
  ];
  const named = files.flatMap((file) =>
    [...readText(file).matchAll(/\bN\d+\b(?!\.\.)/g)].map((match) => match[0]),
  );
  t.ok(named.length > 0);
  t.strictSame(
    named.filter((rule) => !defined.has(rule)),
    [],
  );
});
