// The background push: the product, the bare pairs and QEMU, in turns within one run, so that ratios share their noise.
import { runBarePair } from './bare-pair.ts';
import { runProductPair } from './product-pair.ts';
import { runQemuPair } from './qemu-pair.ts';
import { formatSpread, type Spread, spreadOf } from './spread.ts';
import { formatTable } from './table.ts';

/** Ratios that the push must reach, as medians over the rounds. */
export const PUSH_GOALS = { ofBare: 0.6, ofQemu: 1.5 } as const;

/** One round: everything once, in MB/s. */
export interface PushRound {
  readonly bareDrop: number;
  readonly bareLand: number;
  readonly sourceMBps: number;
  readonly destinationMBps: number;
  readonly sourceCpuSeconds: number;
  readonly destinationCpuSeconds: number;
  /** Null where QEMU is not installed. */
  readonly qemu: number | null;
}

/** What the rounds gave. */
export interface PushResult {
  readonly ramBytes: number;
  readonly rounds: readonly PushRound[];
  /** Destination's rate over that of the bare pair of the same round: its receiver drops, or keeps, what comes. */
  readonly ofBareDrop: Spread;
  readonly ofBareLand: Spread;
  readonly ofQemu: Spread | null;
}

/** Runs the rounds; the first is a warm-up that is dropped. */
export async function pushCase(options: {
  ramBytes: number;
  rounds: number;
  withQemu: boolean;
  onRound: (line: string) => void;
}): Promise<PushResult> {
  const { ramBytes, onRound } = options;
  const rounds: PushRound[] = [];
  for (let index = 0; index <= options.rounds; index += 1) {
    const bareDrop = await runBarePair('drop', ramBytes);
    const product = await runProductPair(ramBytes);
    const bareLand = await runBarePair('land', ramBytes);
    const qemu = options.withQemu ? await runQemuPair(ramBytes) : null;
    const round: PushRound = {
      bareDrop,
      bareLand,
      sourceMBps: product.sourceMBps,
      destinationMBps: product.destinationMBps,
      sourceCpuSeconds: product.source.cpuSeconds,
      destinationCpuSeconds: product.destination.cpuSeconds,
      qemu,
    };
    if (index > 0) rounds.push(round);
    const figures = [bareDrop, bareLand, product.destinationMBps, qemu ?? Number.NaN].map((n) =>
      n.toFixed(0),
    );
    onRound(
      `push round ${index}${index === 0 ? ' (warm-up, dropped)' : ''}: bare ${figures[0]}, bare into RAM ${figures[1]}, postcopy ${figures[2]}, QEMU ${figures[3]} MB/s`,
    );
  }
  const ratio = (of: (round: PushRound) => number) =>
    spreadOf(rounds.map((round) => round.destinationMBps / of(round)));
  return {
    ramBytes,
    rounds,
    ofBareDrop: ratio((round) => round.bareDrop),
    ofBareLand: ratio((round) => round.bareLand),
    ofQemu: options.withQemu ? ratio((round) => round.qemu!) : null,
  };
}

/** The result as tables. */
export function describePush({ ramBytes, rounds, ofBareDrop, ofBareLand, ofQemu }: PushResult): string {
  const row = (name: string, of: (round: PushRound) => number, digits = 0) => [
    name,
    formatSpread(spreadOf(rounds.map(of)), digits),
  ];
  const ratioRow = (name: string, spread: Spread, goal: number) => [
    name,
    formatSpread(spread, 2),
    `${goal}`,
    spread.median >= goal ? 'yes' : 'NO',
  ];
  const rates = [
    row('bare Node, receiver drops the bytes', (round) => round.bareDrop),
    row('bare Node, receiver keeps them in fresh memory', (round) => round.bareLand),
    row('postcopy, at the source', (round) => round.sourceMBps),
    row('postcopy, at the destination, placed', (round) => round.destinationMBps),
    ...(ofQemu === null ? [] : [row('QEMU, machine none, 4K', (round) => round.qemu!)]),
  ];
  const ratios = [
    ratioRow('postcopy / bare (drops)', ofBareDrop, PUSH_GOALS.ofBare),
    ratioRow('postcopy / bare (keeps)', ofBareLand, PUSH_GOALS.ofBare),
    ...(ofQemu === null ? [] : [ratioRow('postcopy / QEMU', ofQemu, PUSH_GOALS.ofQemu)]),
  ];
  return [
    `Push of ${ramBytes / 2 ** 20} MiB, ${rounds.length} rounds, median (min..max)`,
    '',
    formatTable(['', 'MB/s'], rates),
    '',
    formatTable(['ratio within a round', 'median (min..max)', 'goal', 'reached'], ratios),
  ].join('\n');
}
