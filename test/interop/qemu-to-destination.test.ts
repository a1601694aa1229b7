// Real QEMU towards our destination: all that it has arrives, it is asked for pages, and refused as QEMU refuses it.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { TOUCH_ORDERS, type Touch, touchIndices } from '../../src/destination/touch-order.ts';
import { ReturnPathDecoder } from '../../src/protocol/return-path-decoder.ts';
import { Command, type Ending, temporaryDirectory } from '../e2e/command.ts';
import { hugePages, LiveQemu, MIB, noiseFile, type QemuMigration, until, whyNoQemu } from './live-qemu.ts';

const skip = whyNoQemu() ?? false;
const RAM_BYTES = 16 * MIB;
const PAGE_COUNT = RAM_BYTES / 4096;
/** So slow that most pages are still to come when they are touched; a guest has fewer that are not zero. */
const SLOW = 16 * MIB;
const SLOW_FOR_GUEST = 2 * MIB;
const HUGE_COUNT = RAM_BYTES / (2 * MIB);
const SEED = 11;
const EOS = '0000000000000010';

function sha256OfFile(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function touchOptions({ order, seed }: Touch): string[] {
  return ['--touch', order, ...(order === 'random' ? ['--touch-seed', String(seed)] : []), '--faults'];
}

function startDestination(...options: string[]): Command {
  return new Command(['destination', '--incoming', 'tcp:127.0.0.1:0', ...options]);
}

/** Both ends completed, in postcopy, and RAM is that of the file behind the source's. */
function checkPostcopy(
  t: Test,
  { exitCode, result, stderr }: Ending,
  source: QemuMigration,
  ramPath: string,
) {
  t.equal(exitCode, 0, stderr || JSON.stringify(result?.error));
  t.equal(result.status, 'completed');
  t.equal(source.status, 'completed', source['error-desc'] ?? 'the source completes');
  t.ok(result.pages.postcopyBackground! > 0, 'in postcopy');
  t.equal(result.pages.duplicate, 0);
  t.equal(result.ramSha256['ram0'], sha256OfFile(ramPath), 'RAM is equal');
}

/** Pages were asked for, in the order that was told, and the source knows it. */
function checkTouched(
  t: Test,
  { result }: Ending,
  source: QemuMigration,
  touch: Touch,
  hostPageCount: number,
) {
  const { stalls, pages, faults } = result;
  t.ok(stalls!.count > 0, 'it waited for pages');
  t.ok(stalls!.requests > 0 && pages.requested! > 0, 'which it had asked for');
  t.equal(source.ram!['postcopy-requests'], stalls!.requests, 'the source counts the same requests');
  const place = new Map([...touchIndices(touch, hostPageCount)].map((page, at) => [page, at]));
  const places = faults!.filter(({ block }) => block === 'ram0').map(({ hostPage }) => place.get(hostPage)!);
  t.ok(places.length > 1);
  t.ok(
    places.every((at, index) => index === 0 || at > places[index - 1]!),
    'one after the other in its order',
  );
}

for (const order of TOUCH_ORDERS) {
  t.test(`RAM of QEMU -machine none, asked for in ${order} order`, { skip }, async (t) => {
    const ramPath = noiseFile(t, RAM_BYTES);
    const options = { machine: 'none', ramBytes: RAM_BYTES, ramPath, isIncoming: false } as const;
    const qemu = await LiveQemu.start(t, options);
    const touch = { order, seed: SEED };
    const destination = startDestination(...touchOptions(touch));
    await qemu.migrate(await destination.listening(), SLOW);
    const ending = await destination.ended;
    const source = await qemu.migrated();
    checkPostcopy(t, ending, source, ramPath);
    checkTouched(t, ending, source, touch, PAGE_COUNT);
  });
}

t.test('RAM of QEMU -machine none, precopy only', { skip }, async (t) => {
  const ramPath = noiseFile(t, RAM_BYTES);
  const options = { machine: 'none', ramBytes: RAM_BYTES, ramPath, isIncoming: false } as const;
  const qemu = await LiveQemu.start(t, options);
  const destination = startDestination('--touch', 'ascending');
  await qemu.migrateByPrecopy(await destination.listening());
  const { exitCode, result, stderr } = await destination.ended;
  t.equal(exitCode, 0, stderr || JSON.stringify(result?.error));
  t.equal((await qemu.migrated()).status, 'completed');
  t.match(result.pages, { postcopyBackground: 0, requested: 0 });
  t.ok(result.pages.precopy! >= PAGE_COUNT);
  t.equal(result.stalls!.count, 0, 'in precopy nothing is touched');
  t.equal(result.ramSha256['ram0'], sha256OfFile(ramPath), 'RAM is equal');
});

/** Names of the messages in the return path of a recording. */
function returnPath(recording: string): string[] {
  const names: string[] = [];
  const decoder = new ReturnPathDecoder((record) => names.push(record.name), { profile: '7.2' });
  decoder.push(readFileSync(join(recording, 'c0.ret.bin')));
  decoder.end();
  return names;
}

/** A guest that walks its RAM; it fills the file that is its RAM. */
async function startGuest(t: Test, ramPath: string, isPreempt = false): Promise<LiveQemu> {
  const options = { machine: 'guest', ramBytes: RAM_BYTES, ramPath, isIncoming: false, isPreempt } as const;
  const qemu = await LiveQemu.start(t, options);
  await until('the guest walks', () => qemu.serial().includes('..') || undefined);
  return qemu;
}

for (const [what, isPreempt, options] of [
  ['one channel', false, []],
  ['a preempt channel', true, ['--postcopy-preempt', '--profile', '7.2']],
] as const) {
  t.test(`a running guest of QEMU, ${what}`, { skip }, async (t) => {
    const ramPath = join(temporaryDirectory(t), 'ram');
    const qemu = await startGuest(t, ramPath, isPreempt);
    const recording = join(temporaryDirectory(t), 'recording');
    const touch = { order: 'random', seed: SEED } as const;
    const destination = startDestination(...options, ...touchOptions(touch), '--record', recording);
    await qemu.migrate(await destination.listening(), SLOW_FOR_GUEST);
    const ending = await destination.ended;
    const source = await qemu.migrated();
    checkPostcopy(t, ending, source, ramPath);
    t.ok(ending.result.stalls!.requests > 0 && ending.result.pages.requested! > 0, 'pages were asked for');
    const answers = returnPath(recording);
    const requested = answers.filter((name) => name.startsWith('REQ_PAGES'));
    t.equal(source.ram!['postcopy-requests'], requested.length, 'and the source got all that was sent');
    t.equal(answers.at(-1), 'SHUT', 'nothing is asked for after the end');
    t.equal(await qemu.runState(), 'postmigrate');
    t.notMatch(qemu.serial(), 'X');
    t.ok(Object.keys(ending.result.ramSha256).includes('pc.bios'), 'firmware and tables came too');

    const main = readFileSync(join(recording, 'c0.fwd.bin'));
    t.equal(main.toString('latin1', 0, 4), 'QEVM', 'the first connection is the main one');
    if (!isPreempt) return;
    const urgent = readFileSync(join(recording, 'c1.fwd.bin'));
    t.ok(urgent.length > 4096, 'the second one brought pages');
    t.equal(urgent.toString('hex', urgent.length - 8), EOS, 'and ended with EOS');
  });
}

t.test('a guest of QEMU on 4 KiB pages is refused at 2 MiB pages, and goes on', { skip }, async (t) => {
  const qemu = await startGuest(t, join(temporaryDirectory(t), 'ram'));
  const destination = startDestination('--block-page', 'ram0=2M');
  await qemu.migrateByPrecopy(await destination.listening());
  const { exitCode, result } = await destination.ended;
  t.equal(exitCode, 1);
  t.match(result, {
    status: 'failed',
    error: {
      code: 'page-sizes-differ',
      message: 'Postcopy needs matching RAM page sizes (s=1000 d=201000)',
      rule: 'D29',
    },
  });
  t.match(await qemu.migrated(), { status: 'failed' });
  await until('the guest runs again', async () => (await qemu.runState()) === 'running' || undefined);
  const walks = qemu.serial().length;
  await until('it walks on', () => qemu.serial().length > walks + 2 || undefined);
  t.match(qemu.serial(), /^R\.+$/, 'and no page is bad');
});

t.test('RAM of QEMU -machine none on 2 MiB pages, asked for in descending order', { skip }, async (t) => {
  const huge = hugePages(t, HUGE_COUNT);
  if ('missing' in huge) return t.plan(0, huge.missing);
  const [ramPath, fillPath] = [join(huge.path, 'ram'), noiseFile(t, RAM_BYTES)];
  const options = { machine: 'none', ramBytes: RAM_BYTES, ramPath, fillPath, isIncoming: false } as const;
  const qemu = await LiveQemu.start(t, options);
  const touch = { order: 'descending', seed: SEED } as const;
  const destination = startDestination('--block-page', 'ram0=2M', ...touchOptions(touch));
  await qemu.migrate(await destination.listening(), SLOW);
  const ending = await destination.ended;
  const source = await qemu.migrated();
  checkPostcopy(t, ending, source, ramPath);
  t.equal(ending.result.ramSha256['ram0'], sha256OfFile(fillPath), 'which is what it was filled with');
  checkTouched(t, ending, source, touch, HUGE_COUNT);
  t.ok(
    ending.result.faults!.every(({ pageBytes }) => pageBytes === 2 * MIB),
    'each page as a whole',
  );
});
