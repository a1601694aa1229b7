// docs/state-machines.md shows the transition tables as they are in the code.
// `UPDATE_DOCS=1 npx tap dist/test/docs/state-machines-doc.test.js` prints them anew.
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { listFiles, readText, repositoryUrl } from '../fixtures.ts';
import { diagramsIn, mermaid, TABLE_NAMES, withDiagrams } from './state-diagrams.ts';

const PATH = 'docs/state-machines.md';
if (process.env['UPDATE_DOCS'] === '1') writeFileSync(repositoryUrl(PATH), withDiagrams(readText(PATH)));

t.test('its diagrams are printed from the tables', async (t) => {
  const markdown = readText(PATH);
  t.strictSame(diagramsIn(markdown), TABLE_NAMES);
  t.equal(markdown, withDiagrams(markdown));
});

t.test('no table of the source is left out', async (t) => {
  const declared = listFiles('src')
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => [...readText(path).matchAll(/^export const (\w+_TRANSITIONS)\b/gm)])
    .map((match) => match[1]);
  t.strictSame(new Set(declared), new Set(TABLE_NAMES));
});

t.test('a diagram', async (t) => {
  t.equal(
    mermaid({ 'is-up': { stop: 'down', go: 'is-up' }, down: {} }),
    [
      'stateDiagram-v2',
      '  state "is-up" as is_up',
      '  [*] --> is_up',
      '  is_up --> down: stop',
      '  is_up --> is_up: go',
      '  down --> [*]',
    ].join('\n'),
  );
});
