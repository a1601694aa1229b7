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
  /** As the source saw it, and as the destination did, placing included. */
  readonly sourceMBps: number;
  readonly destinationMBps: number;
  /** The destination's, with its RAM committed beforehand. */
  readonly preallocatedMBps: number;
  /** Null where QEMU is not installed. */
  readonly qemu: number | null;
}

/** What the rounds gave; the ratios are within a round. */
export interface PushResult {
  readonly ramBytes: number;
  readonly rounds: readonly PushRound[];
  readonly ratios: readonly { readonly name: string; readonly goal: number; readonly ratio: Spread }[];
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
    const { sourceMBps, destinationMBps } = await runProductPair(ramBytes, false);
    const bareLand = await runBarePair('land', ramBytes);
    const { destinationMBps: preallocatedMBps } = await runProductPair(ramBytes, true);
    const qemu = options.withQemu ? await runQemuPair(ramBytes) : null;
    const round: PushRound = { bareDrop, bareLand, sourceMBps, destinationMBps, preallocatedMBps, qemu };
    if (index > 0) rounds.push(round);
    const figures = Object.entries(round).map(([name, value]) => `${name} ${value?.toFixed(0) ?? '-'}`);
    onRound(`push round ${index}${index === 0 ? ' (warm-up, dropped)' : ''}, MB/s: ${figures.join(', ')}`);
  }
  const ratio = (name: string, goal: number, of: (round: PushRound) => number) => ({
    name,
    goal,
    ratio: spreadOf(rounds.map(of)),
  });
  const { ofBare, ofQemu } = PUSH_GOALS;
  return {
    ramBytes,
    rounds,
    ratios: [
      ratio('postcopy, RAM committed / bare, dropped', ofBare, (r) => r.preallocatedMBps / r.bareDrop),
      ratio('postcopy / bare, kept', ofBare, (r) => r.destinationMBps / r.bareLand),
      ratio('postcopy / bare, dropped', ofBare, (r) => r.destinationMBps / r.bareDrop),
      ...(options.withQemu
        ? [
            ratio('postcopy, RAM committed / QEMU', ofQemu, (r) => r.preallocatedMBps / r.qemu!),
            ratio('postcopy / QEMU', ofQemu, (r) => r.destinationMBps / r.qemu!),
          ]
        : []),
    ],
  };
}

/** The result as tables. */
export function describePush({ ramBytes, rounds, ratios }: PushResult): string {
  const row = (name: string, of: (round: PushRound) => number) => [
    name,
    formatSpread(spreadOf(rounds.map(of))),
  ];
  const rates = [
    row('bare Node, what comes is dropped', (round) => round.bareDrop),
    row('bare Node, what comes is kept in fresh memory', (round) => round.bareLand),
    row('postcopy, as the source sees it', (round) => round.sourceMBps),
    row('postcopy, placed at the destination', (round) => round.destinationMBps),
    row('postcopy, placed, RAM committed before', (round) => round.preallocatedMBps),
    ...(rounds.some((round) => round.qemu === null)
      ? []
      : [row('QEMU, machine none, 4K', (round) => round.qemu!)]),
  ];
  const rows = ratios.map(({ name, goal, ratio }) => [
    name,
    formatSpread(ratio, 2),
    `${goal}`,
    ratio.median >= goal ? 'yes' : 'NO',
  ]);
  return [
    `Push of ${ramBytes / 2 ** 20} MiB, ${rounds.length} rounds`,
    '',
    formatTable(['', 'MB/s, median (min..max)'], rates),
    '',
    formatTable(['ratio within a round', 'median (min..max)', 'goal', 'reached'], rows),
  ].join('\n');
}
