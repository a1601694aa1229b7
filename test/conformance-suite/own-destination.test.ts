// Our own destination keeps every rule that can be observed in the profile strict, and those that 7.2 has otherwise.
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { rulesOf } from '../../src/conformance/rules.ts';
import { runProgram } from '../cli/run-program.ts';

const PROGRAM = fileURLToPath(new URL('../../src/cli/postcopy.js', import.meta.url));
const LAYOUT = ['--block ram0=8M@2M', '--block ram1=256K@4K', '-M none', '--refuse-unknown-devices'].join(
  ' ',
);

/** What is missing is of another profile, or needs a peer that ours cannot be: one without postcopy. */
const NOT_RUN = { strict: ['D26', 'D32', 'D104'], '7.2': [] } as const;

/** What a 7.2 does otherwise; the whole suite in that profile is in docs/conformance. */
const OWN_TO_72 = rulesOf('destination').filter(
  (rule) => 'checks' in rule && rule.checks.some(({ profiles }) => profiles?.includes('7.2') === true),
);

interface Result {
  readonly rules: readonly { readonly id: string; readonly verdict: string }[];
}

for (const profile of ['strict', '7.2'] as const) {
  t.test(profile, { timeout: 300_000 }, async (t) => {
    const destination = `${process.execPath} ${PROGRAM} destination --incoming {uri} --json --no-verify --touch random --profile ${profile} ${LAYOUT}`;
    const { exitCode, stdout, stderr } = await runProgram(
      ...['conform', 'destination', '--json', '--profile', profile, '--jobs', '3', '--timeout', '20000'],
      ...['--blocks', 'ram0=8M:2M,ram1=256K:4K', '--requests', '--spawn', destination],
      ...['--variant', `preempt=${destination} --postcopy-preempt`],
      ...(profile === 'strict' ? [] : OWN_TO_72.flatMap(({ id }) => ['--rule', id])),
    );
    const { rules } = JSON.parse(stdout) as Result;
    const idsOf = (verdict: string) => rules.filter((rule) => rule.verdict === verdict).map(({ id }) => id);
    t.strictSame(idsOf('failed'), [], JSON.stringify(rules.filter((rule) => rule.verdict === 'failed')));
    t.strictSame(idsOf('not-run'), NOT_RUN[profile]);
    t.equal(exitCode, 0, stderr);
    t.ok(idsOf('passed').length >= (profile === 'strict' ? 85 : 10), `${idsOf('passed').length} passed`);
  });
}
