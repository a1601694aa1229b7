// docker-compose.yml and the Dockerfile name only what there is: options, files, targets, variables, keys that both composes read.
import { existsSync } from 'node:fs';
import t from 'tap';
import { parse } from 'yaml';
import { DESTINATION_HELP } from '../../src/cli/destination-command.ts';
import { Arguments, type CommandHelp } from '../../src/cli/option-table.ts';
import { SOURCE_HELP } from '../../src/cli/source-command.ts';
import { WATCH_HELP } from '../../src/cli/watch-command.ts';
import { readText, repositoryUrl } from '../fixtures.ts';

interface Service {
  readonly image: string;
  readonly build: { readonly context: string; readonly target: string };
  readonly command: string;
  readonly depends_on?: readonly string[];
  readonly healthcheck: { readonly test: readonly string[] };
  readonly profiles?: readonly string[];
}

const HELPS: Readonly<Record<string, CommandHelp>> = {
  source: SOURCE_HELP,
  destination: DESTINATION_HELP,
  watch: WATCH_HELP,
};
/** Keys of a service that docker-compose 1.29 and compose v2 read alike. */
const KEYS = [
  ...[
    'image',
    'build',
    'command',
    'entrypoint',
    'environment',
    'depends_on',
    'networks',
    'ports',
    'profiles',
  ],
  ...['read_only', 'tmpfs', 'cap_drop', 'cap_add', 'security_opt', 'healthcheck'],
];
/** The root of the project in the image. */
const IN_IMAGE = '/postcopy/';

const text = readText('docker-compose.yml');
const compose = parse(text, { merge: true }) as { services: Readonly<Record<string, Service>> };
const services = Object.entries(compose.services);
const dockerfile = readText('Dockerfile').replaceAll(/ *\\\n */g, ' ');

/** Every variable with its default. */
const variables = new Map([...text.matchAll(/\$\{(\w+):-([^}]*)\}/g)].map((match) => [match[1]!, match[2]!]));

/** The words of a command when no variable is set. */
function wordsOf(command: string): string[] {
  return command
    .replaceAll(/\$\{(\w+):-([^}]*)\}/g, '$2')
    .trim()
    .split(/\s+/);
}

/** A file of the image as one of this checkout, where `npm run build` has been. */
function isInImage(path: string): boolean {
  return path.startsWith(IN_IMAGE) && existsSync(repositoryUrl(path.slice(IN_IMAGE.length)));
}

t.test('commands name options that there are', async (t) => {
  const names = services.map(([name]) => name);
  for (const name of ['source', 'destination', 'watch']) t.ok(names.includes(name));
  for (const [name, { command }] of services) {
    const [word = '', ...rest] = wordsOf(command);
    const help = HELPS[word];
    if (help === undefined) t.ok(isInImage(`${IN_IMAGE}${word}`), `${name}: ${word} is a command or a file`);
    else t.doesNotThrow(() => new Arguments(rest, help.options), `${name}: ${command}`);
  }
  t.throws(() => new Arguments(['--no-such-option'], SOURCE_HELP.options), 'it would be found');
});

t.test(
  'keys are those that both composes read, and services, targets and health checks are there',
  async (t) => {
    for (const [name, service] of services) {
      t.strictSame(
        Object.keys(service).filter((key) => !KEYS.includes(key)),
        [],
        name,
      );
      for (const other of service.depends_on ?? [])
        t.ok(compose.services[other], `${name} depends on ${other}`);
      t.match(dockerfile, new RegExp(`^FROM \\S+ AS ${service.build.target}$`, 'm'), name);
      const [kind, program, script = ''] = service.healthcheck.test;
      t.strictSame([kind, program], ['CMD', 'node'], 'no shell');
      t.ok(isInImage(script), script);
    }
  },
);

t.test('variables have defaults, and docs/containers.md tells all of them', async (t) => {
  t.strictSame(text.match(/\$(?!\{\w+:-[^}]*\})\S*/g), null, 'each has a default');
  t.equal(
    new Set(text.match(/\$\{[^}]*\}/g)).size,
    variables.size,
    'a variable has the same default everywhere',
  );
  const told = [...readText('docs/containers.md').matchAll(/^\| `(\w+)` \| (?:`(.*?)`|none) \|/gm)];
  t.strictSame(new Map(told.map((match) => [match[1]!, match[2] ?? ''])), variables);
});

t.test('the Dockerfile copies and starts what there is, and no shell', async (t) => {
  const ignored = readText('.dockerignore');
  const copies = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((match) =>
    match[1]!.split(' '),
  );
  t.ok(copies.length > 0);
  for (const path of copies) {
    t.ok(existsSync(repositoryUrl(path)), `${path} is there`);
    if (path !== '.')
      t.match(ignored, new RegExp(`^!${path.replaceAll('.', '\\.')}$`, 'm'), `${path} is not ignored`);
  }
  const starts = [...dockerfile.matchAll(/^(?:ENTRYPOINT|CMD) (.*)$/gm)].map(
    (match) => JSON.parse(match[1]!) as string[],
  );
  t.ok(starts.length > 0);
  for (const path of starts.flat().filter((word) => word.startsWith('/'))) t.ok(isInImage(path), path);
  const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<string, string> };
  for (const [, script] of dockerfile.matchAll(/npm run (?:--\S+ )*(\S+)/g)) t.ok(scripts[script!], script!);
});

t.test('what the npm package holds comes into the build', async (t) => {
  const { files } = JSON.parse(readText('package.json')) as { files: string[] };
  const taken = readText('.dockerignore').match(/(?<=^!).*/gm)!;
  const sources = files.map((path) => (path.startsWith('dist/') ? path.slice('dist/'.length) : path));
  t.strictSame(
    sources.filter((path) => !taken.some((root) => path === root || path.startsWith(`${root}/`))),
    [],
  );
});
