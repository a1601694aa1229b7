// `postcopy conform` writes all its reports about the same run of a destination, and refuses a file that it cannot write.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { temporaryDirectory } from '../e2e/command.ts';
import { repositoryUrl } from '../fixtures.ts';
import { runCli } from './cli-process.ts';

const PROGRAM = fileURLToPath(repositoryUrl('dist/src/cli/postcopy.js'));
const DESTINATION = `${process.execPath} ${PROGRAM} destination --incoming {uri} --json -M none --block ram0=256K@4K`;
const CONFORM = [
  'conform',
  'destination',
  '--blocks',
  'ram0=256K:4K',
  '--rule',
  'D1',
  '--rule',
  'D22',
] as const;

t.test('JSON on stdout, and two files', async (t) => {
  const directory = temporaryDirectory(t);
  const [junit, html] = [join(directory, 'r.xml'), join(directory, 'r.html')];
  const { code, stdout, stderr } = await runCli(
    ...[...CONFORM, '--spawn', DESTINATION, '--json', '--junit', junit, '--html', html],
  );
  t.equal(code, 0, stderr);
  const report = JSON.parse(stdout) as { counts: object; rules: { id: string }[]; peer: string };
  t.match(report, {
    counts: { passed: 2, failed: 0 },
    rules: [{ id: 'D1' }, { id: 'D22' }],
    peer: DESTINATION,
  });
  t.match(readFileSync(junit, 'utf8'), /<testsuite [^>]* tests="2" failures="0"/);
  t.match(readFileSync(html, 'utf8'), /<details class="rule passed" id="D22">/);
});

t.test('a peer that does not come up has failed, and the files say why', async (t) => {
  const html = join(temporaryDirectory(t), 'r.html');
  const { code, stdout } = await runCli(
    ...[...CONFORM, '--spawn', 'cat <{uri}', '--timeout', '300', '--html', html],
  );
  t.equal(code, 1);
  t.match(stdout, /^not ok 1 - D1 /m);
  t.match(stdout, /seen: "cannot connect to the peer/);
  t.match(readFileSync(html, 'utf8'), /cannot connect to the peer/);
});

t.test('a file that cannot be written is told before anything is run', async (t) => {
  const directory = temporaryDirectory(t);
  const witness = join(directory, 'ran');
  for (const path of [join(directory, 'missing', 'r.xml'), directory]) {
    for (const option of ['--junit', '--html']) {
      const result = await runCli(...CONFORM, '--spawn', `touch ${witness}; : {uri}`, option, path);
      t.match(result, { code: 2, stdout: '', stderr: /\(cannot-write-report\)/ });
    }
  }
  t.notOk(existsSync(witness));
});
