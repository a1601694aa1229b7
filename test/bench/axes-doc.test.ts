// docs/bench-cells.md shows the axes as they are in the code, and the matrices that are shipped.
// `UPDATE_DOCS=1 npx tap dist/test/bench/axes-doc.test.js` prints them anew.
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { AXES, AXIS_NAMES } from '../../bench/cells/axes.ts';
import { expandMatrix } from '../../bench/cells/expand.ts';
import { parseMatrix, readMatrix } from '../../bench/cells/matrix.ts';
import { listFiles, readText, repositoryUrl } from '../fixtures.ts';

const PATH = 'docs/bench-cells.md';

/** The rows of a table between its heading and the first line that is no row. */
function withTable(markdown: string, heading: string, rows: readonly string[]): string {
  const lines = markdown.split('\n');
  const first = lines.indexOf(heading) + 2;
  if (first === 1) throw new Error(`${PATH}: expected the table ${heading}, found none`);
  let end = first;
  while (lines[end]?.startsWith('|')) end += 1;
  return [...lines.slice(0, first), ...rows, ...lines.slice(end)].join('\n');
}

const axisRows = AXIS_NAMES.map((name) => {
  const { kind, default: value, doc } = AXES[name];
  return `| \`${name}\` | ${kind.expects} | \`${value}\` | ${doc} |`;
});

const matrixRows = listFiles('bench/matrices').map((path) => {
  const matrix = readMatrix(repositoryUrl(path).pathname);
  return `| [${matrix.name}](../${path}) | ${matrix.title} | ${expandMatrix(matrix).length} | ${matrix.repeats} |`;
});

function printed(markdown: string): string {
  const withAxes = withTable(markdown, '| axis | values | default | what it is |', axisRows);
  return withTable(withAxes, '| matrix | what it is about | cells | repeats |', matrixRows);
}

if (process.env['UPDATE_DOCS'] === '1') writeFileSync(repositoryUrl(PATH), printed(readText(PATH)));

t.test('the axes and the matrices are told as they are', async (t) => {
  const markdown = readText(PATH);
  t.equal(markdown, printed(markdown));
});

t.test('the defaults are values of their axes', async (t) => {
  for (const name of AXIS_NAMES) t.equal(AXES[name].kind.read(AXES[name].default), AXES[name].default, name);
});

t.test('its example is a matrix', async (t) => {
  const [, json] = /```json\n(.*?)```/s.exec(readText(PATH))!;
  t.equal(expandMatrix(parseMatrix(JSON.parse(json!), 'example')).length, 8);
});
