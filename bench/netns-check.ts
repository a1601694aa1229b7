// `npm run bench:netns`: the same migration over our emulated link and over one that the kernel shapes, side by side.
import { parseArgs } from 'node:util';
import { parseLinkRate } from '../src/cli/link-options.ts';
import { formatBitRate } from '../src/telemetry/link-result.ts';
import type { MigrationResult } from '../src/telemetry/result.ts';
import { describeMachine, machineFacts } from './machine-facts.ts';
import { MeasuredProcess } from './measured-process.ts';
import { NetworkNamespaces } from './network-namespaces.ts';
import { formatSpread, spreadOf } from './spread.ts';
import { formatTable } from './table.ts';

const HELP = `usage: npm run bench:netns -- [--link RATE] [--memory SIZE] [--rounds N]

Needs root, ip and tc (tbf). Both runs are between two network namespaces, which are removed at the end, also on Ctrl-C.

  --link    rate of the link; default 1gbit
  --memory  RAM of the guest; default 256M
  --rounds  runs of each kind, in turns; default 3
`;

const { values } = parseArgs({
  options: {
    link: { type: 'string', default: '1gbit' },
    memory: { type: 'string', default: '256M' },
    rounds: { type: 'string', default: '3' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const PROGRAM = new URL('../src/cli/postcopy.js', import.meta.url);
const TIMEOUT_MS = '120000';
const KINDS = ['emulated', 'tc tbf'] as const;
type Kind = (typeof KINDS)[number];

interface Ends {
  readonly source: MigrationResult;
  readonly destination: MigrationResult;
}

const running = new Set<MeasuredProcess>();

/** One migration between the namespaces, of RAM without zero pages, by postcopy at once. */
async function migrate(namespaces: NetworkNamespaces, kind: Kind): Promise<Ends> {
  const common = ['--json', '--no-verify', '--timeout', TIMEOUT_MS, '--smp', '1'];
  const layout = ['--block', `ram0=${values.memory}@4K`];
  const start = (name: 'source' | 'destination', args: readonly string[]): MeasuredProcess => {
    const measured = new MeasuredProcess(name, PROGRAM, [name, ...args, ...common], namespaces.inside(name));
    running.add(measured);
    return measured;
  };
  const destination = start('destination', [
    ...['--incoming', `tcp:${namespaces.address('destination')}:0`, '--log-level', 'info'],
    ...layout,
    '--mem-prealloc',
  ]);
  const [, uri] = await destination.awaitLine(/"uri":"(tcp:[^"]+)"/);
  const source = start('source', [
    ...['--migrate', uri!, ...layout],
    ...['--postcopy-after', 'now', '--zero-percent', '0', '--warm-up', '0', '--rate', '1000'],
    ...(kind === 'emulated' ? ['--link', values.link] : []),
  ]);
  const [sent, received] = await Promise.all([source.finish(), destination.finish()]);
  running.clear();
  return {
    source: JSON.parse(sent.stdout) as MigrationResult,
    destination: JSON.parse(received.stdout) as MigrationResult,
  };
}

/** Rate at which the destination took it, in bytes/s, over the postcopy phase. */
function rateOf({ destination }: Ends): number {
  return (destination.bytes.wire! * 1e9) / destination.times.phases['postcopy']!;
}

function describe(runs: ReadonlyMap<Kind, readonly Ends[]>, askedBytesPerSecond: number): string {
  const figures = (name: string, of: (ends: Ends) => number, digits: number) => [
    name,
    ...KINDS.map((kind) => formatSpread(spreadOf(runs.get(kind)!.map(of)), digits)),
  ];
  const rates = KINDS.map((kind) => spreadOf(runs.get(kind)!.map(rateOf)).median);
  return [
    `${values.memory} over ${formatBitRate(askedBytesPerSecond)}, ${runs.get('emulated')!.length} rounds, median (min..max)`,
    '',
    formatTable(
      ['', ...KINDS],
      [
        figures(
          '% of the rate, as the destination took it',
          (ends) => (rateOf(ends) / askedBytesPerSecond) * 100,
          1,
        ),
        figures('whole migration, ms', ({ source }) => source.times.totalNs / 1e6, 0),
        figures('stalls', ({ destination }) => destination.stalls!.count, 0),
        figures('p50 of the stalls, ms', ({ destination }) => (destination.stalls!.p50Ns ?? 0) / 1e6, 2),
      ],
    ),
    '',
    `emulated / tc, rates: ${(rates[0]! / rates[1]!).toFixed(3)}`,
    ...runs.get('emulated')!.map(({ source }) => `emulated: ${source.link!.verdict}`),
  ].join('\n');
}

async function main(): Promise<void> {
  const askedBytesPerSecond = parseLinkRate('link', values.link);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new RangeError(`--rounds: expected a positive integer, found '${values.rounds}'`);
  }
  const namespaces = new NetworkNamespaces();
  const leave = (): void => {
    for (const { child } of running) child.kill('SIGKILL');
    namespaces.remove();
    process.exit(3);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, leave);
  try {
    process.stdout.write(`${describeMachine(machineFacts())}\n\n`);
    const runs = new Map<Kind, Ends[]>(KINDS.map((kind) => [kind, []]));
    for (let round = 1; round <= rounds; round += 1) {
      runs.get('emulated')!.push(await migrate(namespaces, 'emulated'));
      namespaces.shape(askedBytesPerSecond);
      runs.get('tc tbf')!.push(await migrate(namespaces, 'tc tbf'));
      namespaces.shape(undefined);
      process.stderr.write(`round ${round} of ${rounds}\n`);
    }
    process.stdout.write(`${describe(runs, askedBytesPerSecond)}\n`);
  } finally {
    for (const { child } of running) child.kill('SIGKILL');
    namespaces.remove();
  }
}

if (values.help) process.stdout.write(HELP);
else await main();
