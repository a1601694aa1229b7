// `postcopy conform` as a program: what it prints, its exit codes, peers that do not come, and Ctrl-C.
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { runProgram, startProgram } from '../cli/run-program.ts';
import { temporaryDirectory } from '../e2e/command.ts';

const PROGRAM = fileURLToPath(new URL('../../src/cli/postcopy.js', import.meta.url));
const DESTINATION = `${process.execPath} ${PROGRAM} destination --incoming {uri} --json --no-verify`;
const BLOCKS = ['--blocks', 'ram0=256K:16K'];
const LAYOUT = '--block ram0=256K@16K';
const CONFORM = ['conform', 'destination', ...BLOCKS, '--timeout', '20000'];

t.test('a peer that keeps the rules: TAP, exit code 0', async (t) => {
  const { exitCode, stdout, stderr } = await runProgram(
    ...[...CONFORM, '--rule', 'D1', '--rule', 'D22', '--rule', 'D31'],
    ...['--spawn', `${DESTINATION} ${LAYOUT}`, '--uri-scheme', 'tcp'],
  );
  t.equal(exitCode, 0, stderr);
  t.match(stdout, /^TAP version 14\n# destination, profile strict: .*\n1\.\.3\nok 1 - D1 /);
  t.match(
    stdout,
    /\nok 3 - D31 .* # SKIP unobservable: .*\n# 2 passed, 0 failed, 0 not-run, 1 unobservable in /,
  );
});

t.test('a peer that breaks one shows how: the exchange, exit code 1', async (t) => {
  // Without -M it takes the name of any machine.
  const { exitCode, stdout } = await runProgram(
    ...[...CONFORM, '--rule', 'D4', '--rule', 'D1', '--spawn', `${DESTINATION} ${LAYOUT}`],
  );
  t.equal(exitCode, 1);
  t.match(stdout, /\nnot ok 2 - D4 /);
  t.match(stdout, /- check: "another machine type"\n {6}expected: "the migration fails/);
  t.match(stdout, /seen: "SHUT 0, /);
  t.match(stdout, /\n +c0 < off=0x[0-9a-f]+ len=8 SHUT value=0\n/);
  t.match(stdout, /\n {2}\.\.\.\n# 1 passed, 1 failed/);
});

t.test('a peer that does not come has failed, and says why', async (t) => {
  const { exitCode, stdout } = await runProgram(
    ...[...CONFORM, '--rule', 'D1', '--spawn', 'echo no such thing >&2; exit 3; : {uri}'],
  );
  t.equal(exitCode, 1);
  t.match(stdout, /\nnot ok 1 - D1 /);
  t.match(stdout, /seen: "cannot connect to the peer at unix:.* it ended with 3: no such thing"/);
});

t.test('--to: a peer that runs already, and takes one migration', async (t) => {
  const destination = startProgram([
    ...['destination', '--incoming', 'tcp:127.0.0.1:0', '--no-verify', '--block', 'ram0=256K@16K'],
  ]);
  t.teardown(() => destination.kill('SIGKILL'));
  let said = '';
  destination.stderr.on('data', (piece: Buffer) => {
    said += piece.toString();
  });
  let uri: string | undefined;
  while (uri === undefined) {
    uri = /listening on (\S+)\n/.exec(said)?.[1];
    if (uri === undefined) await once(destination.stderr, 'data');
  }
  const { exitCode, stdout } = await runProgram(
    ...[
      'conform',
      'destination',
      ...BLOCKS,
      '--to',
      uri,
      '--rule',
      'D1',
      '--rule',
      'D2',
      '--timeout',
      '1000',
    ],
  );
  t.equal(exitCode, 0);
  t.match(stdout, /\nok 1 - D1 [^#]*\nok 2 - D2 .* # SKIP not-run: cannot connect to the peer/);
});

t.test('--list runs nothing', async (t) => {
  const { exitCode, stdout } = await runProgram('conform', 'destination', '--list', '--profile', '7.2');
  t.equal(exitCode, 0);
  t.match(stdout, /^D1 {3}A stream whose first word/);
  t.match(stdout, /\nD31 .*\(unobservable: /);
  t.notMatch(stdout, /\nS\d/);
});

t.test('Ctrl-C ends the peers and removes what was made', async (t) => {
  const directory = temporaryDirectory(t);
  // The peer tells that it runs, and never listens.
  const server = createServer();
  const path = join(directory, 'up');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.teardown(() => server.close());
  const peer = `${process.execPath} -e "require('net').connect('${path}').on('data',()=>{});setInterval(()=>{},1e6)" {uri}`;
  const temporary = temporaryDirectory(t);
  const { TMPDIR } = process.env;
  process.env['TMPDIR'] = temporary;
  const suite = startProgram(['conform', 'destination', '--rule', 'D1', '--spawn', peer]);
  if (TMPDIR === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = TMPDIR;
  const printed = text(suite.stdout);
  const [socket] = (await once(server, 'connection')) as [Socket];
  const gone = once(socket, 'close');
  socket.resume();
  suite.kill('SIGINT');
  const [exitCode] = (await once(suite, 'exit')) as [number];
  t.equal(exitCode, 3);
  t.match(await printed, /\nBail out! cancelled\n$/);
  await gone;
  t.strictSame(readdirSync(temporary), [], 'no temporary files are left');
});
