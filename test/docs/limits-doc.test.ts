// docs/limits.md gives the numbers of the constants that it names, and the constants that it names exist.
import t from 'tap';
import { SOURCE_HELP } from '../../src/cli/source-command.ts';
import { listFiles, readText } from '../fixtures.ts';

const sources = listFiles('src').filter((path) => path.endsWith('.ts'));

/** The value of a constant that is declared as a product and power of numbers. */
function constantValue(name: string): number {
  for (const path of sources) {
    const declaration = new RegExp(`^(?:export )?const ${name} = ([^;]+);`, 'm').exec(readText(path));
    if (declaration === null) continue;
    const factors = declaration[1]!.replaceAll('_', '').split(/(?<!\*) \* (?!\*)/);
    return factors.reduce((product, factor) => {
      const [base, exponent] = factor.split(' ** ').map(Number);
      return product * (exponent === undefined ? base! : base! ** exponent);
    }, 1);
  }
  throw new Error(`no constant is called ${name}`);
}

const markdown = readText('docs/limits.md');
const rows = [...markdown.matchAll(/^\| [^|]+ \| (\d+)(?: bytes)? \| `(\w+)` \|/gm)];

t.test('each number is that of its constant', async (t) => {
  t.equal(rows.length, 20, 'all rows are read');
  for (const [, value, name] of rows) t.equal(Number(value), constantValue(name!), name!);
});

t.test('each exported limit is told', async (t) => {
  const exported = sources
    .filter((path) => !path.startsWith('src/telemetry/'))
    .flatMap((path) => [
      ...readText(path).matchAll(/^export const (\w*LIMIT_BYTES|\w*_LIMIT|MAX_\w+) = \S/gm),
    ])
    .map((match) => match[1]!);
  const told = new Set(rows.map((row) => row[2]));
  t.ok(exported.length > 8);
  t.strictSame(
    exported.filter((name) => !told.has(name)),
    [],
  );
});

t.test('the time-out is the default of its option', async (t) => {
  t.match(markdown, `option \`--timeout\` | ${SOURCE_HELP.options.timeout.default} ms`);
});
