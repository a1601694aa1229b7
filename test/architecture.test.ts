// Reads the import lines of src/: who imports whom, what is pure, and whether every file tells its one job.
import { execFile } from 'node:child_process';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { listFiles, readText, repositoryUrl } from './fixtures.ts';

/** Rooms that a room may import beside itself and `errors`. The halves of a migration never import each other. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  'monotonic-clock': [],
  protocol: [],
  machine: ['monotonic-clock'],
  telemetry: ['monotonic-clock'],
  transport: ['protocol', 'monotonic-clock'],
  recording: ['protocol', 'transport', 'monotonic-clock'],
  feed: ['machine', 'telemetry', 'monotonic-clock'],
  analysis: ['protocol', 'telemetry'],
  source: ['protocol', 'machine', 'transport', 'recording', 'telemetry', 'monotonic-clock'],
  destination: ['protocol', 'machine', 'transport', 'recording', 'telemetry', 'monotonic-clock'],
  replay: ['protocol', 'machine', 'recording', 'source', 'destination', 'monotonic-clock'],
  conformance: [
    'protocol',
    'machine',
    'transport',
    'recording',
    'replay',
    'analysis',
    'source',
    'destination',
    'monotonic-clock',
  ],
  watch: ['machine', 'feed'],
  cli: [
    'protocol',
    'machine',
    'transport',
    'telemetry',
    'feed',
    'recording',
    'analysis',
    'replay',
    'source',
    'destination',
    'conformance',
    'watch',
  ],
};
/** Folders whose modules a browser loads: they import no package and nothing of Node. */
const BROWSER_FOLDERS = ['src/watch/model/', 'src/watch/page/'];
/** Rooms that import no platform module and no package. */
const PURE_ROOMS = ['errors', 'protocol'];
const NAMELESS = /\/(utils?|helpers?|common|types|misc)\.ts$/;

/** What a file imports, types included, and the worker files that it starts. */
function importsOf(text: string): string[] {
  const code = text.replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  const patterns = [
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]/g,
    /\bnew URL\(\s*['"](\.[^'"]+\.[jt]s)['"]/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1]!));
}

/** The room of a path: the directory below src/, or the name of a leaf beside the rooms. */
function roomOf(path: string): string {
  const [top = '', room = ''] = path.split('/');
  return top === 'src' ? room.replace(/\.ts$/, '') : `outside: ${path}`;
}

/** What is wrong with the imports of a file. */
function importFaults(path: string, text: string): string[] {
  const room = roomOf(path);
  const allowed = MAY_IMPORT[room];
  if (allowed === undefined) return [`${path}: nobody has said what the room '${room}' may import`];
  return importsOf(text).flatMap((specifier) => {
    if (!specifier.startsWith('.')) {
      return PURE_ROOMS.includes(room) ? [`${path}: a pure room imports '${specifier}'`] : [];
    }
    const target = roomOf(posix.join(posix.dirname(path), specifier));
    const isAllowed = target === room || target === 'errors' || allowed.includes(target);
    return isAllowed ? [] : [`${path}: ${room} imports ${target}`];
  });
}

/** Whether the file begins with a comment, behind the line that makes it a program. */
function tellsItsJob(text: string): boolean {
  return /^(#!.*\n)?\/\/ \S.{15,}/.test(text);
}

const sources = listFiles('src').filter((path) => path.endsWith('.ts'));

t.test('rooms import only what the design lets them', async (t) => {
  t.ok(sources.length > 10, 'there are sources to read');
  t.strictSame(
    sources.flatMap((path) => importFaults(path, readText(path))),
    [],
  );
});

t.test('a forbidden import is found in every form', async (t) => {
  const faults = (path: string, text: string): number => importFaults(path, text).length;
  t.equal(faults('src/source/a.ts', "import { b } from '../destination/b.ts';\n"), 1);
  t.equal(faults('src/source/a.ts', "import type { B } from '../destination/b.ts';\n"), 1);
  t.equal(faults('src/source/a.ts', "import {\n  type B,\n  c,\n} from '../destination/b.ts';\n"), 1);
  t.equal(faults('src/source/a.ts', "export { b } from '../destination/b.ts';\n"), 1);
  t.equal(faults('src/source/a.ts', "import '../destination/b.ts';\n"), 1);
  t.equal(faults('src/source/a.ts', "const b = await import('../destination/b.ts');\n"), 1);
  t.equal(faults('src/source/a.ts', "new Worker(new URL('../destination/b.js', import.meta.url));\n"), 1);
  t.equal(faults('src/cli/a.ts', "import { b } from '../../test/b.ts';\n"), 1);
  t.equal(faults('src/cli/a.ts', "import { b } from '../../bench/b.ts';\n"), 1);
  t.equal(faults('src/protocol/a.ts', "import { readFileSync } from 'node:fs';\n"), 1);
  t.equal(faults('src/attic/a.ts', ''), 1);
  t.equal(faults('src/source/a.ts', "import { b } from '../protocol/b.ts';\nimport c from 'pino';\n"), 0);
  t.equal(faults('src/source/a.ts', "// import { b } from '../destination/b.ts';\n"), 0);
});

t.test('src/protocol compiles without any platform types', { timeout: 60_000 }, async (t) => {
  const tsc = fileURLToPath(repositoryUrl('node_modules/typescript/bin/tsc'));
  const project = fileURLToPath(repositoryUrl('src/protocol'));
  const env = { ...process.env, NODE_OPTIONS: '' };
  const output = await promisify(execFile)(process.execPath, [tsc, '-p', project], { env }).then(
    ({ stdout }) => stdout,
    (error: { stdout: string }) => error.stdout,
  );
  t.equal(output, '');
});

t.test('what the page loads in a browser imports no package, and only what is served to it', async (t) => {
  const served = [...BROWSER_FOLDERS, 'src/machine/msgpack-limits.ts'];
  const foreign = sources
    .filter((path) => served.some((folder) => path.startsWith(folder)))
    .flatMap((path) => importsOf(readText(path)).map((specifier) => [path, specifier] as const))
    .filter(([path, specifier]) => {
      const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : specifier;
      return !served.some((folder) => target.startsWith(folder));
    });
  t.strictSame(foreign, []);
});

t.test('no types of a browser are in reach of the rest', async (t) => {
  const { compilerOptions, exclude } = JSON.parse(readText('tsconfig.json'));
  t.strictSame(compilerOptions.lib, ['es2023']);
  t.strictSame(exclude, ['src/watch/page']);
});

t.test('every file tells its job in its first line', async (t) => {
  t.strictSame(
    sources.filter((path) => !tellsItsJob(readText(path))),
    [],
  );
  t.notOk(tellsItsJob("import t from 'tap';\n"));
  t.notOk(tellsItsJob('// x\n'));
});

t.test('every file has a name of its own', async (t) => {
  t.strictSame(
    [...sources, ...listFiles('test'), ...listFiles('scripts')].filter((path) => NAMELESS.test(path)),
    [],
  );
  t.match('src/cli/utils.ts', NAMELESS);
});
