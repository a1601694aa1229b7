// Our source towards real QEMU: RAM of ours with recorded devices, and a running guest of QEMU carried to other pages.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { Command, temporaryDirectory } from '../e2e/command.ts';
import { repositoryUrl } from '../fixtures.ts';
import { hugePages, LiveQemu, MIB, until, whyNoQemu } from './live-qemu.ts';

const skip = whyNoQemu() ?? false;
const RAM_BYTES = 16 * MIB;
const HUGE_COUNT = RAM_BYTES / (2 * MIB);
/** So many walks show that the guest goes on. */
const WALKS = 20;

const MACHINE_NONE = fileURLToPath(repositoryUrl('test/fixtures/captures/b1-postcopy-4k-none'));
/** Nothing may converge: what vCPUs dirty flat out goes by postcopy. */
const POSTCOPY = ['--postcopy-after', '1', '--downtime-limit', '0', '--rate', '0'];

/** Huge pages, or the test is skipped for want of them. */
function hugePathOr(t: Test, page: '4K' | '2M', pageCount: number): string | undefined | 'skipped' {
  if (page === '4K') return undefined;
  const huge = hugePages(t, pageCount);
  if ('path' in huge) return huge.path;
  t.plan(0, huge.missing);
  return 'skipped';
}

for (const page of ['4K', '2M'] as const) {
  for (const [how, options, sends] of [
    ['postcopy', POSTCOPY, { precopy: RAM_BYTES / 4096 }],
    [
      'postcopy of all RAM, without negotiation',
      ['--postcopy-after', 'now', '--no-negotiate'],
      { precopy: 0 },
    ],
    ['postcopy with preempt', [...POSTCOPY, '--postcopy-preempt'], { precopy: RAM_BYTES / 4096 }],
    [
      'postcopy with little under way',
      ['--postcopy-after', 'now', '--no-negotiate', '--max-flight', '64K'],
      { precopy: 0 },
    ],
    ['precopy', ['--no-postcopy-ram'], { postcopyBackground: 0 }],
  ] as const) {
    t.test(`RAM of ours to QEMU -machine none, ${page} pages, ${how}`, { skip }, async (t) => {
      const hugePath = hugePathOr(t, page, HUGE_COUNT);
      if (hugePath === 'skipped') return;
      const isPostcopy = how !== 'precopy';
      const qemu = await LiveQemu.start(t, {
        machine: 'none',
        ramBytes: RAM_BYTES,
        hugePath,
        isIncoming: true,
        isPreempt: how === 'postcopy with preempt',
      });
      const { exitCode, result, stderr } = await new Command([
        ...['source', '--device-state', MACHINE_NONE, '--block', `ram0=16M@${page}`],
        ...['--migrate', await qemu.listen(), ...options],
      ]).ended;
      t.equal(exitCode, 0, stderr || JSON.stringify(result?.error));
      t.equal(await qemu.status(), 'completed');
      t.match(result.pages, sends);
      t.equal(result.pages.postcopyBackground! + result.pages.requested! > 0, isPostcopy);
      t.ok(
        result.guest!.vcpus.every(({ count }) => count > 0),
        'vCPUs of ours wrote it meanwhile',
      );
      const ram = await qemu.ram(RAM_BYTES);
      t.equal(createHash('sha256').update(ram).digest('hex'), result.ramSha256['ram0'], 'RAM is equal');
    });
  }
}

for (const [from, to] of [
  ['4K', '2M'],
  ['2M', '4K'],
] as const) {
  t.test(
    `a running guest of QEMU from ${from} pages, by a recording, to ${to} pages`,
    { skip },
    async (t) => {
      const hugePath = hugePathOr(t, '2M', HUGE_COUNT);
      if (hugePath === 'skipped') return;
      const guest = { machine: 'guest', ramBytes: RAM_BYTES } as const;
      const first = await LiveQemu.start(t, {
        ...guest,
        hugePath: from === '2M' ? hugePath : undefined,
        isIncoming: false,
      });
      await until('the guest walks', () => first.serial().includes('..') || undefined);

      const recording = join(temporaryDirectory(t), 'recording');
      const receiver = new Command([
        ...['destination', '--incoming', 'tcp:127.0.0.1:0', '--record', recording],
        ...['--block-page', `ram0=${from}`],
      ]);
      await first.migrate(await receiver.listening());
      const received = await receiver.ended;
      t.equal(received.exitCode, 0, received.stderr || JSON.stringify(received.result?.error));
      t.ok(received.result.pages.postcopyBackground! > 0, 'in postcopy');
      await until('the source completes', async () => (await first.status()) === 'completed' || undefined);
      // It stands still by then; so its pages may go, and its last word is said.
      t.notMatch(first.serial(), 'X');
      await first.qmp.command('quit').catch(() => undefined);

      const second = await LiveQemu.start(t, {
        ...guest,
        hugePath: to === '2M' ? hugePath : undefined,
        isIncoming: true,
      });
      const { exitCode, result, stderr } = await new Command([
        ...['source', '--replay', recording, '--block-page', `ram0=${to}`],
        ...['--migrate', await second.listen()],
      ]).ended;
      t.equal(exitCode, 0, stderr || JSON.stringify(result?.error));
      t.equal(await second.status(), 'completed');
      t.strictSame(result.ramSha256, received.result.ramSha256, 'the RAM that left is the RAM that came');
      t.ok(result.pages.postcopyBackground! > 0);
      const walks = await until('the guest goes on', () => {
        const printed = second.serial();
        return printed.includes('X') || printed.length >= WALKS ? printed : undefined;
      });
      t.match(walks, /^\.+$/, 'the guest goes on, and no page is bad');
    },
  );
}
