// `dissect` live between two real QEMUs: it tells what passes, and disturbs nothing.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { MigrationReport } from '../../src/analysis/migration-summary.ts';
import { Command, temporaryDirectory } from '../e2e/command.ts';
import { LiveQemu, MIB, noiseFile, until, whyNoQemu } from './live-qemu.ts';

const skip = whyNoQemu() ?? false;
const RAM_BYTES = 16 * MIB;
const PAGE_COUNT = RAM_BYTES / 4096;
/** So slow that a guest, which soon touches all its RAM, must ask for some of it. */
const SLOW = 2 * MIB;
/** So many walks show that the guest goes on. */
const WALKS = 20;

/** Starts `dissect --summary` in front of a QEMU that waits. */
async function startDissect(to: LiveQemu): Promise<Command> {
  const onTo = await to.listen();
  return new Command(['dissect', '--summary', '--listen', 'tcp:127.0.0.1:0', '--to', onTo]);
}

/** What it has seen: a whole postcopy migration, every page of `ram0`, and nothing against any rule. */
async function summary(t: Test, dissect: Command): Promise<MigrationReport> {
  const { exitCode, result, stderr } = await dissect.ended;
  t.equal(exitCode, 0, stderr);
  const report = result as unknown as MigrationReport;
  t.match(report, { kind: 'postcopy', eof: true, shut: 0 });
  t.strictSame(report.anomalies, []);
  t.strictSame(
    report.states.map(({ state }) => state),
    ['setup', 'advise', 'active', 'discard', 'listening', 'running', 'completing', 'ended', 'shut'],
  );
  const ram = report.blocks.find(({ block }) => block === 'ram0')!;
  t.match(ram, { lengthBytes: RAM_BYTES, hostPageBytes: 4096, missing: 0, hostPagesHeld: PAGE_COUNT });
  t.ok(ram.postcopy.data > 0, 'pages passed in postcopy');
  t.ok(ram.hostPagesCompletedSinceListen > 0);
  return report;
}

t.test('RAM of QEMU -machine none to QEMU', { skip }, async (t) => {
  const ramPath = noiseFile(t, RAM_BYTES);
  const none = { machine: 'none', ramBytes: RAM_BYTES } as const;
  const source = await LiveQemu.start(t, { ...none, ramPath, isIncoming: false });
  const destination = await LiveQemu.start(t, { ...none, isIncoming: true });
  const dissect = await startDissect(destination);
  await source.migrate(await dissect.listening());
  t.equal((await source.migrated()).status, 'completed');
  t.equal((await destination.migrated()).status, 'completed');
  const report = await summary(t, dissect);
  t.equal(report.machine, 'none');
  t.equal(report.requests.count, 0, 'no vCPU, no request');
  const ram = createHash('sha256').update(await destination.ram(RAM_BYTES));
  t.equal(
    ram.digest('hex'),
    createHash('sha256').update(readFileSync(ramPath)).digest('hex'),
    'RAM is equal',
  );
});

for (const isPreempt of [false, true]) {
  const channels = isPreempt ? 'a preempt channel' : 'one channel';
  t.test(`a running guest of QEMU to QEMU, ${channels}`, { skip }, async (t) => {
    const guest = { machine: 'guest', ramBytes: RAM_BYTES, isPreempt } as const;
    const ramPath = join(temporaryDirectory(t), 'ram');
    const source = await LiveQemu.start(t, { ...guest, ramPath, isIncoming: false });
    await until('the guest walks', () => source.serial().includes('..') || undefined);
    const destination = await LiveQemu.start(t, { ...guest, isIncoming: true });
    const dissect = await startDissect(destination);
    await source.migrate(await dissect.listening(), SLOW);
    const { status, ram } = await source.migrated();
    t.equal(status, 'completed');
    t.equal((await destination.migrated()).status, 'completed');
    const report = await summary(t, dissect);
    t.equal(report.machine, 'microvm');
    t.ok(report.requests.answered > 0, 'its requests are seen, and their answers');
    t.equal(report.requests.count, ram!['postcopy-requests'], 'as many as the source counts');
    t.equal(report.requests.unanswered, 0);
    t.ok(report.requests.latencyNs!.median > 0);
    t.strictSame(Object.keys(report.pagesByConnection), isPreempt ? ['c0', 'c1'] : ['c0']);
    t.ok(report.devices.length > 0, 'devices are named');

    t.notMatch(source.serial(), 'X');
    const walks = await until('the guest goes on', () => {
      const printed = destination.serial();
      return printed.includes('X') || printed.length >= WALKS ? printed : undefined;
    });
    t.match(walks, /^\.+$/, 'the guest goes on, and no page is bad');
  });
}
