// Real QEMU as a destination keeps the rules of a destination: where it did not, the rule was wrong.
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { runProgram } from '../cli/run-program.ts';
import { repositoryUrl } from '../fixtures.ts';
import { hugePages, whyNoQemu } from './live-qemu.ts';

const skip = whyNoQemu() ?? false;
const pathOf = (path: string): string => fileURLToPath(repositoryUrl(path));
const ADAPTER = pathOf('examples/conform/qemu-destination.mjs');
const GUEST_BIOS = pathOf('test/fixtures/captures/guest-up.bios.gz');
const UUID = '00112233-4455-6677-8899-aabbccddeeff';
/** Of two peers at a time with 8 MiB each. */
const HUGE_COUNT = 8;

/** It knows nothing of host page negotiation, which these are about. */
const NEGOTIATION = ['N2', 'N3', 'N4', 'N10', 'N13', 'N14'];
const HUGE_ONLY = ['D77', 'D78', 'D79', 'D81', 'D84'];
const REQUESTS = ['D90', 'D91', 'D92'];

interface Result {
  readonly rules: readonly { readonly id: string; readonly verdict: string }[];
}

/** Runs the suite; `options` are those of the adapter. */
async function conform(options: string, ...args: readonly string[]): Promise<Record<string, string[]>> {
  const command = `'${process.execPath}' '${ADAPTER}' {uri} ${options}`;
  const { stdout, stderr } = await runProgram(
    ...['conform', 'destination', '--json', '--profile', '7.2', '--timeout', '20000', '--spawn', command],
    ...['--variant', `preempt=${command} --preempt`, '--variant', `recover=${command} --recover`],
    ...['--variant', `no-postcopy=${command} --no-postcopy`],
    ...['--variant', `uuid=${command} --uuid ${UUID}`, ...args],
  );
  if (stdout === '') throw new Error(stderr);
  const { rules } = JSON.parse(stdout) as Result;
  const byVerdict = (verdict: string): string[] =>
    rules.filter((rule) => rule.verdict === verdict).map(({ id }) => id);
  return { failed: byVerdict('failed'), notRun: byVerdict('not-run'), passed: byVerdict('passed') };
}

t.test('machine none, 4 KiB pages: every rule', { skip, timeout: 300_000 }, async (t) => {
  const { failed, notRun } = await conform(
    '--memory 4',
    ...['--blocks', 'ram0=4M:4K', '--device-state', pathOf('test/fixtures/captures/b1-postcopy-4k-none')],
  );
  t.strictSame(failed, []);
  t.strictSame(notRun, ['D63', ...HUGE_ONLY, ...REQUESTS, 'D104', ...NEGOTIATION]);
});

t.test('machine none, 2 MiB pages: the rules of large pages', { skip, timeout: 200_000 }, async (t) => {
  const huge = hugePages(t, HUGE_COUNT);
  if ('missing' in huge) {
    t.plan(0, huge.missing);
    return;
  }
  const ids = ['D29', 'D39', 'D40', 'D42', 'D64', 'D77', 'D78', 'D79', 'D81', 'D83', 'D84', 'D102'];
  const { failed, passed } = await conform(
    `--memory 8 --huge '${huge.path}'`,
    ...['--blocks', 'ram0=8M:2M', '--device-state', pathOf('test/fixtures/captures/b1-postcopy-4k-none')],
    ...ids.flatMap((id) => ['--rule', id]),
  );
  t.strictSame(failed, []);
  t.strictSame(passed, ids);
});

t.test(
  'a running guest: its requests, and what two channels bring',
  { skip, timeout: 200_000 },
  async (t) => {
    const ids = ['D54', 'D63', ...REQUESTS, 'D102'];
    const { failed, passed } = await conform(
      `--bios '${GUEST_BIOS}'`,
      ...['--machine', 'microvm', '--requests', '--blocks'],
      'ram0=16M:4K,/rom@etc/acpi/tables=4K:4K,pc.bios=64K:4K,/rom@etc/table-loader=4K:4K,/rom@etc/acpi/rsdp=4K:4K',
      ...['--device-state', pathOf('test/fixtures/captures/d1-postcopy-4k-bios')],
      ...ids.flatMap((id) => ['--rule', id]),
    );
    t.strictSame(failed, []);
    t.strictSame(passed, ids);
  },
);
