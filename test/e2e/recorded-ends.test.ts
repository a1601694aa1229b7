// Both ends of one migration record what they see: the same bytes, readable by everything that reads a recording.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { MigrationResult } from '../../src/telemetry/result.ts';
import { runProgram } from '../cli/run-program.ts';
import { NOW, ram, to } from './check-migration.ts';
import { Command, migrate, temporaryDirectory } from './command.ts';

const GUEST = [...ram('8M', '4K'), '--smp', '2', ...NOW];

function result(directory: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(directory, 'result.json'), 'utf8')) as Record<string, unknown>;
}

t.test('both ends record the same bytes', async (t) => {
  const directory = temporaryDirectory(t);
  const [atSource, atDestination] = [join(directory, 'source'), join(directory, 'destination')];
  const ends = await migrate({
    source: [...GUEST, '--record', atSource],
    destination: [...to('64K'), '--record', atDestination],
  });
  t.equal(ends.source.exitCode, 0, ends.source.stderr);
  t.equal(ends.destination.exitCode, 0, ends.destination.stderr);
  t.equal(ends.destination.result.guestVerified, true);
  for (const name of ['c0.fwd.bin', 'c0.ret.bin']) {
    const [sent, received] = [atSource, atDestination].map((path) => readFileSync(join(path, name)));
    t.ok(sent!.length > 0 && sent!.equals(received!), `${name} is the same at both ends`);
  }
  const wire = ends.source.result.bytes.wire!;
  const ret = readFileSync(join(atSource, 'c0.ret.bin')).length;
  for (const [path, recordedBy] of [
    [atSource, 'source'],
    [atDestination, 'destination'],
  ] as const) {
    const { wire_bytes: bytes, ...rest } = result(path);
    t.match(rest, { recordedBy, status: 'completed', connections: [{ conn: 0, peer: /^tcp:/ }] });
    t.strictSame(bytes, { 'c0.fwd': wire, 'c0.ret': ret });
  }

  const summary = await runProgram('dissect', '--summary', '--json', atDestination);
  t.equal(summary.exitCode, 0, summary.stderr);
  t.strictSame((JSON.parse(summary.stdout) as { anomalies: unknown }).anomalies, []);

  const replay = await runProgram('destination', '--replay', atSource, ...to('64K'), '--json');
  t.equal(replay.exitCode, 0, replay.stderr);
  const again = JSON.parse(replay.stdout) as MigrationResult;
  t.equal(again.guestVerified, true, 'the recorded guest goes on and is proved');
  t.equal(again.bytes.wire, wire);
});

t.test('a migration that is refused is recorded with its error', async (t) => {
  const recording = join(temporaryDirectory(t), 'refused');
  const ends = await migrate({
    source: [...GUEST, '--no-negotiate'],
    destination: [...to('64K'), '--record', recording],
  });
  t.equal(ends.destination.exitCode, 1);
  t.match(result(recording), { status: 'failed', error: { code: 'page-sizes-differ', rule: 'D29' } });
});

t.test('a directory that is in use is refused before a source can connect', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'used'));
  writeFileSync(join(directory, 'used', 'file'), '');
  const destination = new Command([
    'destination',
    '--incoming',
    'tcp:127.0.0.1:0',
    '--record',
    join(directory, 'used'),
  ]);
  const ending = await destination.ended;
  t.equal(ending.exitCode, 1);
  t.match(ending.result.error, { code: 'cannot-write-recording' });
  t.notOk(existsSync(join(directory, 'used', 'index.jsonl')), 'and left as it was');
  await t.rejects(destination.listening(), 'it never listened');
});
