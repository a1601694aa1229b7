// Every link of a document to a file of the repository leads somewhere.
import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import t from 'tap';
import { listFiles, readText, repositoryUrl } from '../fixtures.ts';

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...listFiles('docs').filter((path) => path.endsWith('.md')),
];

for (const path of documents) {
  t.test(path, async (t) => {
    const links = [...readText(path).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map((match) => match[1]!);
    for (const link of links.filter((target) => !target.startsWith('http'))) {
      t.ok(existsSync(repositoryUrl(posix.join(posix.dirname(path), link))), link);
    }
  });
}

t.test('the scenarios of the README are those of the program', async (t) => {
  const { SCENARIOS } = await import('../../src/cli/scenarios.ts');
  const named = [...readText('README.md').matchAll(/^\| `([a-z0-9-]+)` \| \d+ [KMG]iB to/gm)];
  t.strictSame(
    named.map((match) => match[1]),
    Object.keys(SCENARIOS),
  );
});
