// Ours and real QEMU in turn in one run: the same RAM, the same kind of walk, page sizes, with and without preempt.
import { formatBytes } from '../../src/cli/format-quantity.ts';
import { formatSpread, spreadOf } from '../spread.ts';
import { formatTable } from '../table.ts';
import { runOwnGuestPair } from './own-guest-pair.ts';
import type { PairFigures, PairSetting } from './pair-figures.ts';
import { runQemuGuestPair } from './qemu-guest-pair.ts';

/** One round: each once, one after the other. */
export interface QemuRound {
  readonly own: PairFigures;
  readonly qemu: PairFigures;
}

/** The rounds of a setting. */
export interface QemuCase {
  readonly setting: PairSetting;
  readonly rounds: readonly QemuRound[];
}

const ROWS: readonly (readonly [keyof PairFigures, string, number])[] = [
  ['mbPerSecond', 'MB/s in postcopy', 0],
  ['postcopySeconds', 'postcopy, s', 2],
  ['downtimeMs', 'downtime, ms', 1],
  ['stallCount', 'pages waited for', 0],
  ['p50Us', 'stall p50, us', 0],
  ['p99Us', 'stall p99, us', 0],
  ['blocktimeMs', 'total blocktime, ms', 0],
  ['sourceCpuSeconds', 'CPU of the source, s', 2],
  ['destinationCpuSeconds', 'CPU of the destination, s', 2],
];

/** A setting in words. */
export function describeSetting({ pageBytes, preempt }: PairSetting): string {
  return `${formatBytes(pageBytes)} pages, ${preempt ? 'with' : 'without'} preempt`;
}

/** Runs the rounds of all settings in turn; the first is a warm-up that is dropped. Who begins changes with each round. */
export async function qemuCases(
  settings: readonly PairSetting[],
  options: { rounds: number; onRound: (line: string) => void },
): Promise<QemuCase[]> {
  const cases = settings.map((setting) => ({ setting, rounds: [] as QemuRound[] }));
  for (let index = 0; index <= options.rounds; index += 1) {
    for (const { setting, rounds } of cases) {
      const first = index % 2 === 0 ? await runQemuGuestPair(setting) : undefined;
      const own = await runOwnGuestPair(setting);
      const qemu = first ?? (await runQemuGuestPair(setting));
      if (index > 0) rounds.push({ own, qemu });
      const told = (of: PairFigures) => `p50 ${of.p50Us.toFixed(0)} us, ${of.mbPerSecond.toFixed(0)} MB/s`;
      const dropped = index === 0 ? ' (warm-up, dropped)' : '';
      options.onRound(
        `round ${index}${dropped}, ${describeSetting(setting)}: ours ${told(own)}; QEMU ${told(qemu)}`,
      );
    }
  }
  return cases;
}

/** A table for each setting; ratios are within a round. */
export function describeQemuCases(cases: readonly QemuCase[]): string {
  return cases
    .map(({ setting, rounds }) => {
      const rows = ROWS.map(([name, title, digits]) => {
        const text = (of: (round: QemuRound) => number, places: number) =>
          formatSpread(spreadOf(rounds.map(of)), places);
        const ratios = rounds
          .filter(({ qemu }) => qemu[name] > 0)
          .map(({ own, qemu }) => own[name] / qemu[name]);
        return [
          title,
          text(({ own }) => own[name], digits),
          text(({ qemu }) => qemu[name], digits),
          ratios.length === 0 ? '-' : formatSpread(spreadOf(ratios), 2),
        ];
      });
      const title = `${describeSetting(setting)}, ${formatBytes(setting.ramBytes)} of RAM, ${rounds.length} rounds`;
      return `${title}\n\n${formatTable(['median (min..max)', 'ours', 'QEMU', 'ours / QEMU'], rows)}`;
    })
    .join('\n\n');
}
