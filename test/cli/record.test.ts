// A real migration through `postcopy record` and through `postcopy dissect` live: unharmed, and all of it there.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { CliProcess, runCli } from './cli-process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'postcopy-record-'));
t.teardown(() => rmSync(scratch, { recursive: true }));

const SMALL_GUEST = [
  '--block',
  'pc.ram=1M@4K',
  '--zero-percent',
  '50',
  '--smp',
  '1',
  '--postcopy-after',
  'now',
];

interface EndResult {
  readonly status: string;
  readonly guestVerified: boolean;
  readonly ramSha256: string;
}

/** Runs a migration with `between` between its two ends. */
async function migrateThrough(makeBetween: (to: string) => CliProcess) {
  const destination = new CliProcess('destination', '--incoming', 'tcp:127.0.0.1:0', '--host-page', '64K');
  const between = makeBetween(await destination.listening());
  const source = await runCli('source', '--migrate', await between.listening(), ...SMALL_GUEST, '--json');
  const [passed, received] = await Promise.all([between.result(), destination.result()]);
  return { source: JSON.parse(source.stdout) as EndResult, received, passed };
}

t.test('record carries a migration, and its recording is dissected and replayed', async (t) => {
  const directory = join(scratch, 'r');
  const { source, received, passed } = await migrateThrough(
    (to) => new CliProcess('record', '--listen', 'tcp:127.0.0.1:0', '--to', to, '--out', directory, '--json'),
  );
  t.equal(source.status, 'completed');
  t.equal(received.code, 0, received.stderr);
  t.match(passed, { code: 0 });
  const result = JSON.parse(passed.stdout) as { wire_bytes: Record<string, number> };
  t.strictSame(
    result.wire_bytes,
    JSON.parse(readFileSync(join(directory, 'result.json'), 'utf8')).wire_bytes,
  );
  const { code, stdout } = await runCli('dissect', '--summary', '--json', directory);
  t.equal(code, 0);
  const report = JSON.parse(stdout) as { bytes: Record<string, number> };
  t.match(report, {
    kind: 'postcopy',
    shut: 0,
    blocks: [{ block: 'pc.ram', hostPageBytes: 2 ** 16, hostPagesHeld: 16, missing: 0 }],
    hostPages: [{ block: '', placementPage: 2 ** 16 }],
    anomalies: [],
  });
  t.equal(
    Object.values(report.bytes).reduce((sum, count) => sum + count, 0),
    result.wire_bytes['c0.fwd']! + result.wire_bytes['c0.ret']!,
  );
  for (const path of [directory, join(directory, 'c0.fwd.bin')]) {
    const replay = await runCli('destination', '--replay', path, '--host-page', '64K', '--json');
    const replayed = JSON.parse(replay.stdout) as EndResult;
    t.match(replayed, { status: 'completed', guestVerified: true });
  }
  const again = await runCli(
    'record',
    '--listen',
    'tcp:127.0.0.1:0',
    '--to',
    'tcp:127.0.0.1:1',
    '--out',
    directory,
  );
  t.match(again, { code: 1, stderr: /cannot-write-recording/ }, 'it is not written over');
});

t.test('dissect sits live between the two ends', async (t) => {
  const { source, received, passed } = await migrateThrough(
    (to) => new CliProcess('dissect', '--listen', 'tcp:127.0.0.1:0', '--to', to),
  );
  t.equal(source.status, 'completed');
  t.equal(received.code, 0, received.stderr);
  t.equal(passed.code, 0);
  const lines = passed.stdout.trimEnd().split('\n');
  t.match(lines[0], /^ +0\.000000 c0 > off=0x0000 len=8 HEADER /);
  t.match(lines.at(-1), / c0 < off=0x[0-9a-f]+ len=8 SHUT value=0$/);
  t.equal(lines.filter((line) => / (PAGE|ZERO) /.test(line)).length >= 256, true);
});

t.test('Ctrl-C ends a recording that nobody came to', async (t) => {
  const record = new CliProcess(
    ...[
      'record',
      '--listen',
      `unix:${join(scratch, 's')}`,
      '--to',
      'tcp:127.0.0.1:1',
      '--out',
      join(scratch, 'i'),
    ],
  );
  await record.listening();
  record.child.kill('SIGINT');
  t.equal((await record.result()).code, 3);
});
