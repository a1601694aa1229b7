// A source that becomes the guest of a recording, against a destination of ours: other pages, the same guest.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { fileBytes } from '../../src/recording/file-bytes.ts';
import { readMachine } from '../../src/replay/read-machine.ts';
import type { RecordedMachine } from '../../src/replay/recorded-machine.ts';
import type { MigrationResult } from '../../src/telemetry/result.ts';
import { runProgram } from '../cli/run-program.ts';
import { NOW, ram, to } from '../e2e/check-migration.ts';
import { Command, type Ending, migrate, temporaryDirectory } from '../e2e/command.ts';
import { readCapture, repositoryUrl } from '../fixtures.ts';

const capture = (name: string) => fileURLToPath(repositoryUrl(`test/fixtures/captures/${name}`));

async function send(source: readonly string[], destination: readonly string[]) {
  const receiver = new Command(['destination', '--incoming', 'tcp:127.0.0.1:0', ...destination]);
  const sender = new Command(['source', '--migrate', await receiver.listening(), ...source]);
  const [from, received] = await Promise.all([sender.ended, receiver.ended]);
  return { source: from, destination: received };
}

function completed(t: Test, { source, destination }: { source: Ending; destination: Ending }): void {
  t.equal(source.exitCode, 0, source.stderr || JSON.stringify(source.result?.error));
  t.equal(destination.exitCode, 0, destination.stderr || JSON.stringify(destination.result?.error));
}

/** RAM as a destination that loads the recording itself has it. */
async function ramOf(...options: readonly string[]): Promise<MigrationResult['ramSha256']> {
  const { stdout } = await runProgram('destination', '--replay', ...options, '--json');
  return (JSON.parse(stdout) as MigrationResult).ramSha256;
}

async function machineOf(path: string): Promise<RecordedMachine> {
  const bytes = fileBytes(path);
  return await readMachine(
    (async function* () {
      for await (const piece of bytes)
        yield { tSeconds: undefined, conn: 0, dir: 'fwd' as const, bytes: piece };
    })(),
    'strict',
  );
}

interface Case {
  readonly name: string;
  /** How the recording is read by a destination. */
  readonly asRecorded: readonly string[];
  readonly source: readonly string[];
  readonly destination: readonly string[];
  readonly placementPageBytes: number;
}

const CASES: readonly Case[] = [
  {
    name: 'd1-postcopy-4k-bios',
    asRecorded: [],
    source: ['--host-page', '2M', '--no-negotiate'],
    destination: ['--block-page', 'ram0=2M'],
    placementPageBytes: 2 ** 21,
  },
  {
    name: 'd2-postcopy-2m-bios',
    asRecorded: ['--block-page', 'ram0=2M'],
    source: ['--block-page', 'ram0=4K', '--no-negotiate'],
    destination: [],
    placementPageBytes: 4096,
  },
  {
    name: 'f2-preempt-2m-bios',
    asRecorded: ['--block-page', 'ram0=2M'],
    source: [],
    destination: ['--block-page', 'ram0=64K'],
    placementPageBytes: 2 ** 16,
  },
];

for (const { name, asRecorded, source, destination, placementPageBytes } of CASES) {
  t.test(`${name} to pages of ${placementPageBytes}`, async (t) => {
    const recorded = join(temporaryDirectory(t), 'recorded');
    const ends = await send(['--replay', capture(name), ...source], [...destination, '--record', recorded]);
    completed(t, ends);
    const hashes = await ramOf(capture(name), ...asRecorded);
    t.ok('ram0' in hashes);
    t.strictSame(ends.destination.result.ramSha256, hashes, 'RAM is that of the recording');
    t.strictSame(ends.source.result.ramSha256, hashes, 'and the source says so');
    t.match(
      ends.destination.result.negotiated.find(({ block }) => block === 'ram0'),
      { destinationHostPageBytes: placementPageBytes },
    );
    t.match(ends.source.result.pages, { precopy: 0 }, 'all of it in postcopy');
    t.strictSame(
      await machineOf(join(recorded, 'c0.fwd.bin')),
      await machineOf(`${capture(name)}.c0.fwd.bin.gz`),
      'type, configuration and devices with their section ids are those of QEMU, byte for byte',
    );
  });
}

t.test(
  'a precopy stream is replayed as postcopy, and as precopy with the description that it had',
  async (t) => {
    const name = 'a4-precopy-bios';
    const hashes = await ramOf(capture(name));
    const ends = await send(['--replay', `${capture(name)}.c0.fwd.bin.gz`], []);
    completed(t, ends);
    t.strictSame(ends.destination.result.ramSha256, hashes);
    t.ok('postcopy-active' in ends.source.result.times.phases);

    const recorded = join(temporaryDirectory(t), 'recorded');
    const again = await send(['--replay', capture(name), '--no-postcopy-ram'], ['--record', recorded]);
    completed(t, again);
    t.strictSame(again.destination.result.ramSha256, hashes);
    const { vmDescription } = await machineOf(join(recorded, 'c0.fwd.bin'));
    t.equal(vmDescription, (await machineOf(`${capture(name)}.c0.fwd.bin.gz`)).vmDescription);
  },
);

t.test('a guest of ours goes on from its recording, and is proved', async (t) => {
  const recorded = join(temporaryDirectory(t), 'recorded');
  const first = await migrate({
    source: [...ram('8M', '16K'), '--smp', '2', ...NOW],
    destination: [...to('64K'), '--record', recorded],
  });
  completed(t, first);
  for (const page of ['4K', '1M']) {
    const ends = await send(['--replay', recorded], [...to(page)]);
    completed(t, ends);
    t.equal(ends.destination.result.guestVerified, true, ends.destination.result.guestVerification);
    t.match(ends.destination.result.guest?.vcpus, [{ program: 'random' }, { program: 'random' }]);
  }
});

t.test('device state of a recorded machine leaves with RAM of ours', async (t) => {
  const directory = temporaryDirectory(t);
  const image = join(directory, 'ram');
  writeFileSync(image, Buffer.alloc(1 << 20, 'postcopy '));
  const recorded = join(directory, 'recorded');
  // Cut behind its package: nothing of its RAM is wanted.
  const cut = join(directory, 'cut.bin');
  writeFileSync(cut, readCapture('d1-postcopy-4k-bios.c0.fwd').subarray(0, 150_000));
  const layout = ['--block', 'ram0=2M@4K', '--ram-image', image, '--smp', '0', ...NOW];
  const ends = await send(['--device-state', cut, ...layout], ['--record', recorded]);
  completed(t, ends);
  t.strictSame(ends.source.result.ramSha256, ends.destination.result.ramSha256);
  t.strictSame(
    await machineOf(join(recorded, 'c0.fwd.bin')),
    await machineOf(`${capture('d1-postcopy-4k-bios')}.c0.fwd.bin.gz`),
  );
});

t.test('what cannot be is said before anything leaves', async (t) => {
  const directory = temporaryDirectory(t);
  const cut = join(directory, 'cut.bin');
  writeFileSync(cut, readCapture('b1-postcopy-4k-none.c0.fwd').subarray(0, 500_000));
  const cases: readonly [exitCode: number, code: string, says: string, args: readonly string[]][] = [
    [1, 'truncated', `recording ${cut}: expected`, ['--replay', cut]],
    [1, 'cannot-read-recording', 'cannot read', ['--replay', join(directory, 'none')]],
    [1, 'page-missing', "'ram0'", ['--replay', `${capture('f1-preempt-4k-bios')}.c0.fwd.bin.gz`]],
    [2, 'bad-option-value', 'ram0', ['--replay', capture('c1-postcopy-2m-none'), '--block-page', 'ram1=4K']],
    [
      2,
      'bad-ram-block',
      'multiple of the host page 2M',
      ['--replay', capture('d1-postcopy-4k-bios'), '--block-page', 'pc.bios=2M'],
    ],
    [
      2,
      'option-without-effect',
      '--host-page has no effect',
      ['--replay', capture('b1-postcopy-4k-none'), '--host-page', '1G'],
    ],
    [
      2,
      'option-without-effect',
      '--smp has no effect on the guest of a recording',
      ['--replay', cut, '--smp', '1'],
    ],
    [2, 'option-without-effect', '--block-page has no effect without --replay', ['--block-page', 'ram0=2M']],
    [2, 'bad-option-value', 'from 1 to 64', ['--smp', '0']],
  ];
  for (const [exitCode, code, says, args] of cases) {
    const ending = await runProgram('source', '--migrate', 'tcp:127.0.0.1:1', ...args);
    t.equal(ending.exitCode, exitCode, `${code}: ${ending.stderr}`);
    t.match(ending.stderr, `(${code})`);
    t.match(ending.stderr, says);
    t.equal(ending.stdout, '');
  }
});

t.test('an interrupt while a recording is read', async (t) => {
  const program = fileURLToPath(new URL('../../src/cli/postcopy.js', import.meta.url));
  const args = ['source', '--replay', '-', '--migrate', 'tcp:127.0.0.1:1'];
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, program, ...args], {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  // It has said so by then, and it listens to signals before it says anything.
  await once(child.stderr, 'data');
  child.kill('SIGINT');
  t.strictSame(await once(child, 'exit'), [3, null], 'cancelled');
});
