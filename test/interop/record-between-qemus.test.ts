// `record` between two real QEMUs: its recording is dissected, and each of our ends goes on with it.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { MigrationReport } from '../../src/analysis/migration-summary.ts';
import { Command, temporaryDirectory } from '../e2e/command.ts';
import { LiveQemu, MIB, noiseFile, whyNoQemu } from './live-qemu.ts';

const skip = whyNoQemu() ?? false;
const RAM_BYTES = 16 * MIB;
const NONE = { machine: 'none', ramBytes: RAM_BYTES } as const;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

t.test('a migration between two QEMUs, recorded, is loaded and sent again', { skip }, async (t) => {
  const ramPath = noiseFile(t, RAM_BYTES);
  const ram = sha256(readFileSync(ramPath));
  const source = await LiveQemu.start(t, { ...NONE, ramPath, isIncoming: false });
  const destination = await LiveQemu.start(t, { ...NONE, isIncoming: true });
  const recording = join(temporaryDirectory(t), 'recording');
  const onTo = await destination.listen();
  const record = new Command(['record', '--listen', 'tcp:127.0.0.1:0', '--to', onTo, '--out', recording]);
  await source.migrate(await record.listening());
  t.equal((await source.migrated()).status, 'completed');
  t.equal((await destination.migrated()).status, 'completed');
  t.equal(sha256(await destination.ram(RAM_BYTES)), ram, 'the proxy disturbs neither');
  const { exitCode, stderr } = await record.ended;
  t.equal(exitCode, 0, stderr);

  const dissect = await new Command(['dissect', '--summary', recording]).ended;
  t.equal(dissect.exitCode, 0, dissect.stderr);
  const report = dissect.result as unknown as MigrationReport;
  t.match(report, { kind: 'postcopy', machine: 'none', eof: true, shut: 0 });
  t.strictSame(report.anomalies, []);

  const replay = await new Command(['destination', '--replay', recording]).ended;
  t.equal(replay.exitCode, 0, replay.stderr);
  t.equal(replay.result.ramSha256['ram0'], ram, 'our destination loads it');

  const again = await LiveQemu.start(t, { ...NONE, isIncoming: true });
  const sent = await new Command(['source', '--replay', recording, '--migrate', await again.listen()]).ended;
  t.equal(sent.exitCode, 0, sent.stderr || JSON.stringify(sent.result?.error));
  t.equal(await again.status(), 'completed');
  t.equal(sha256(await again.ram(RAM_BYTES)), ram, 'our source sends it on to QEMU');

  const ours = await LiveQemu.start(t, { ...NONE, isIncoming: true });
  const filled = await new Command([
    ...['source', '--device-state', recording, '--block', 'ram0=16M@4K'],
    ...['--migrate', await ours.listen(), '--postcopy-after', 'now'],
  ]).ended;
  t.equal(filled.exitCode, 0, filled.stderr || JSON.stringify(filled.result?.error));
  t.equal(await ours.status(), 'completed');
  t.not(filled.result.ramSha256['ram0'], ram, 'with RAM of ours');
  t.equal(sha256(await ours.ram(RAM_BYTES)), filled.result.ramSha256['ram0'], 'and its devices, too');
});
