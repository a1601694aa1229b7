// Our own destination keeps every rule that can be observed: its core every rule of every profile, and the whole program
// those that hang on its threads. The whole suite against the whole program is in docs/conformance.
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { shortExchange } from '../../src/conformance/exchange-lines.ts';
import { rulesOf } from '../../src/conformance/rules.ts';
import { PROFILES } from '../../src/protocol/profile.ts';
import { runProgram } from '../cli/run-program.ts';
import { runAgainst } from './planted-peers.ts';

const PROGRAM = fileURLToPath(new URL('../../src/cli/postcopy.js', import.meta.url));
const LAYOUT = ['--block ram0=8M@2M', '--block ram1=256K@4K', '-M none', '--refuse-unknown-devices'].join(
  ' ',
);

/** There is no recovery yet. */
const RECOVERY = ['D98', 'D99', 'D100'] as const;
/** What is missing is of another profile, or needs a peer that ours cannot be, or more pages than there are here. */
const NOT_RUN = {
  strict: ['D26', 'D32', 'D44', 'D54', ...RECOVERY, 'D104'],
  '7.2': ['D26', 'D44', 'D54', ...RECOVERY, 'D104'],
} as const;

/** How an error ends a 7.2 whose guest runs is up to the thread that drives the core. */
const NOT_OF_THE_CORE = { strict: [], '7.2': ['D58'] } as const;

for (const profile of ['strict', '7.2'] as const) {
  t.test(`the core, ${profile}`, { timeout: 120_000 }, async (t) => {
    const ids = rulesOf('destination').map(({ id }) => id);
    const left = ids.filter((id) => !NOT_OF_THE_CORE[profile].some((other) => other === id));
    const results = await runAgainst({ role: 'destination', fault: { profile } }, { ids: left, profile });
    for (const { rule, checks } of results) {
      for (const { what, finding, exchange } of checks) {
        if (finding.verdict !== 'failed') continue;
        const exchanged = exchange && shortExchange(exchange, profile);
        t.fail(`${rule.id}: ${what}`, { ...finding, exchanged });
      }
    }
    const notRun = results.filter(({ verdict }) => verdict === 'not-run').map(({ rule }) => rule.id);
    t.strictSame(notRun, NOT_RUN[profile]);
  });
}

/** Rules whose outcome comes from the threads of the program: its loader, its requests, its two channels, its end. */
const OF_THE_PROGRAM = {
  strict: [
    ...['D16', 'D18', 'D22', 'D24', 'D43', 'D48', 'D50', 'D52', 'D58', 'D63', 'D77', 'D81', 'D85'],
    ...['D90', 'D91', 'D92', 'D95', 'D97', 'D101', 'D102', 'D103', 'N2', 'N5', 'N12', 'N14'],
  ],
  '7.2': ['D32', 'D58', 'D72', 'D81', 'D85'],
  '10.x': ['D20', 'D57', 'D58', 'D102', 'D103', 'D104'],
} as const;

interface Result {
  readonly rules: readonly { readonly id: string; readonly verdict: string }[];
}

for (const profile of PROFILES) {
  t.test(`the program, ${profile}`, { timeout: 240_000 }, async (t) => {
    const destination = `${process.execPath} ${PROGRAM} destination --incoming {uri} --json --no-verify --touch random --profile ${profile} ${LAYOUT}`;
    const { exitCode, stdout, stderr } = await runProgram(
      ...['conform', 'destination', '--json', '--profile', profile, '--timeout', '20000'],
      ...['--blocks', 'ram0=8M:2M,ram1=256K:4K', '--requests', '--spawn', destination],
      ...['--variant', `preempt=${destination} --postcopy-preempt`],
      ...OF_THE_PROGRAM[profile].flatMap((id) => ['--rule', id]),
    );
    const { rules } = JSON.parse(stdout) as Result;
    t.strictSame(
      rules.filter(({ verdict }) => verdict !== 'passed'),
      [],
    );
    t.equal(rules.length, OF_THE_PROGRAM[profile].length);
    t.equal(exitCode, 0, stderr);
  });
}
