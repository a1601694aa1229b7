// `npm run bench`: runs the migration benches and prints what they gave.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { DECODER_GOAL_GBPS, decoderCase, describeDecoder } from './decoder-case.ts';
import { describeLink, linkCase } from './link-case.ts';
import { describeMachine, machineFacts } from './machine-facts.ts';
import { describePush, pushCase } from './push-case.ts';
import { describeScale, scaleCase } from './scale-case.ts';
import { describeWatch, watchCase } from './watch-case.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const CASES = ['decoder', 'push', 'scale', 'link', 'watch'] as const;
const HELP = `usage: npm run bench -- [--only decoder|push|scale|link|watch] [--rounds N] [--scale-rounds N] [--max-ram GIB] [--out FILE]

  --only          one case (may be repeated); default all
  --rounds        rounds of the push, the decoder, the link and the watch; default 5
  --scale-rounds  rounds of the scale; default 3
  --max-ram       largest RAM of the scale in GiB; both ends need it at once; default 8
  --out           also write the results as JSON
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [...CASES] },
    rounds: { type: 'string', default: '5' },
    'scale-rounds': { type: 'string', default: '3' },
    'max-ram': { type: 'string', default: '8' },
    out: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new RangeError(`--${name}: expected a positive integer, found '${text}'`);
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function main(): Promise<void> {
  const rounds = positive('rounds', values.rounds);
  for (const name of values.only) {
    if (!(CASES as readonly string[]).includes(name)) throw new RangeError(`--only: no case '${name}'`);
  }
  const machine = machineFacts();
  const withQemu = machine.qemu !== null;
  const results: Record<string, unknown> = { machine };
  process.stdout.write(`${describeMachine(machine)}\n\n`);
  if (values.only.includes('decoder')) {
    const decoder = decoderCase(rounds);
    results['decoder'] = { ...decoder, goalGBps: DECODER_GOAL_GBPS };
    process.stdout.write(`${describeDecoder(decoder)}\n\n`);
  }
  if (values.only.includes('push')) {
    const push = await pushCase({ ramBytes: GIB, rounds, withQemu, onRound: progress });
    results['push'] = push;
    process.stdout.write(`${describePush(push)}\n\n`);
    if (!withQemu) process.stdout.write('QEMU IS NOT INSTALLED: the push was not compared with it.\n\n');
  }
  if (values.only.includes('scale')) {
    const maxBytes = positive('max-ram', values['max-ram']) * GIB;
    const ramSizes = [256 * MIB, GIB, 2 * GIB, 4 * GIB, 8 * GIB].filter((size) => size <= maxBytes);
    const scaleRounds = positive('scale-rounds', values['scale-rounds']);
    const scale = await scaleCase({ ramSizes, rounds: scaleRounds, preallocates: true, onRound: progress });
    results['scale'] = scale;
    process.stdout.write(`${describeScale(scale)}\n\n`);
  }
  if (values.only.includes('link')) {
    const link = await linkCase({ rounds, onRound: progress });
    results['link'] = link;
    process.stdout.write(`${describeLink(link)}\n\n`);
  }
  if (values.only.includes('watch')) {
    const watch = await watchCase({ rounds, onRound: progress });
    results['watch'] = watch;
    process.stdout.write(`${describeWatch(watch)}\n`);
  }
  if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(results, undefined, 2)}\n`);
}

if (values.help) process.stdout.write(HELP);
else await main();
