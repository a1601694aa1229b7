// Migrates the walker between two real QEMUs in postcopy, and reads what its vCPU waited for.
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nearestRank } from '../../src/telemetry/percentile.ts';
import { Qmp } from '../qmp.ts';
import type { PairFigures, PairSetting } from './pair-figures.ts';
import { cpuSeconds, endProcesses, freePort, startQemu } from './qemu-process.ts';
import {
  CONTROL,
  LOG,
  readLog,
  readState,
  stallsOf,
  WALK_BASE,
  type WalkerState,
  walkerImage,
} from './walker-image.ts';

const MIB = 2 ** 20;
const POLL_MS = 2;
/** About 10 us at 2.5 GHz: less than any page takes, more than a write to a page that is there. */
const THRESHOLD_TICKS = 25_000;
/** How long the counter is watched, to know its rate. */
const CALIBRATION_MS = 500;
/** Precopy is held at this rate, so that nearly all RAM is left for postcopy, which is unlimited. */
const PRECOPY_BYTES_PER_SECOND = MIB;

interface Migration {
  readonly status: string;
  readonly ram?: { readonly 'postcopy-bytes': number };
  /** In ms, of the destination. */
  readonly 'postcopy-blocktime'?: number;
}

/** Moments of the wall clock in ms, as QMP's events have it. */
function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

function backendOf({ ramBytes, pageBytes }: PairSetting): string {
  const size = `id=ram0,size=${ramBytes / MIB}M`;
  return pageBytes === 4096
    ? `memory-backend-ram,${size}`
    : `memory-backend-memfd,${size},hugetlb=on,hugetlbsize=2M`;
}

async function pollUntil(qmp: Qmp, ...statuses: readonly string[]): Promise<Migration> {
  for (;;) {
    const migration = (await qmp.command('query-migrate')) as Migration;
    if (statuses.includes(migration.status)) return migration;
    if (migration.status === 'failed' || migration.status === 'postcopy-paused') {
      throw new Error(`expected QEMU's migration to complete, found ${migration.status}`);
    }
    await sleep(POLL_MS);
  }
}

/** A guest of one of the two, seen from outside. */
class Walker {
  readonly #qmp: Qmp;
  readonly #folder: string;

  constructor(qmp: Qmp, folder: string) {
    this.#qmp = qmp;
    this.#folder = folder;
  }

  async memory(address: number, length: number): Promise<Buffer> {
    const filename = join(this.#folder, 'memory');
    await this.#qmp.command('pmemsave', { val: address, size: length, filename });
    return readFileSync(filename);
  }

  async state(): Promise<WalkerState> {
    return readState(await this.memory(CONTROL.address, CONTROL.length));
  }

  async filled(): Promise<void> {
    while (!(await this.state()).isFilled) await sleep(POLL_MS);
  }

  /** Where the counter is at a moment, and how fast it goes: from two looks at it. */
  async clock(): Promise<{ ticksPerMs: number; counterAt(ms: number): number }> {
    const look = async () => ({ ms: nowMs(), counter: (await this.state()).counter });
    const first = await look();
    await sleep(CALIBRATION_MS);
    const last = await look();
    const ticksPerMs = (last.counter - first.counter) / (last.ms - first.ms);
    return { ticksPerMs, counterAt: (ms) => last.counter + (ms - last.ms) * ticksPerMs };
  }
}

/** Migrates once. Needs userfaultfd, and 2 MiB pages for both where they are asked for. @throws Error unless it completed in postcopy */
export async function runQemuGuestPair(setting: PairSetting): Promise<PairFigures> {
  const { ramBytes, pageBytes, preempt } = setting;
  const folder = mkdtempSync(join(tmpdir(), 'postcopy-bench-'));
  const path = (name: string) => join(folder, name);
  const pageCount = (ramBytes - WALK_BASE) / 4096;
  writeFileSync(path('walker'), walkerImage({ pageCount, thresholdTicks: THRESHOLD_TICKS }));
  const machine = [
    ...['-machine', 'microvm,memory-backend=ram0', '-object', backendOf(setting)],
    ...['-m', `${ramBytes / MIB}M`, '-smp', '1', '-bios', path('walker')],
  ];
  const processes: ChildProcess[] = [];
  try {
    processes.push(
      startQemu(path('source'), machine),
      startQemu(path('destination'), [...machine, '-incoming', 'defer']),
    );
    const [source, destination] = await Promise.all([
      Qmp.connect(path('source')),
      Qmp.connect(path('destination')),
    ]);
    const uri = `tcp:127.0.0.1:${await freePort()}`;
    const capability = (name: string, state = true) => ({ capability: name, state });
    const common = [capability('postcopy-ram'), capability('postcopy-preempt', preempt)];
    await source.command('migrate-set-capabilities', { capabilities: common });
    await destination.command('migrate-set-capabilities', {
      capabilities: [...common, capability('postcopy-blocktime')],
    });
    await destination.command('migrate-incoming', { uri });
    const limits = { 'max-bandwidth': PRECOPY_BYTES_PER_SECOND, 'max-postcopy-bandwidth': 0 };
    await source.command('migrate-set-parameters', limits);
    const before = new Walker(source, folder);
    await before.filled();
    const clock = await before.clock();
    await source.command('migrate', { uri });
    await pollUntil(source, 'active');
    await source.command('migrate-start-postcopy');
    const cpu = () => processes.map(({ pid }) => cpuSeconds(pid!)) as [number, number];
    await pollUntil(source, 'postcopy-active', 'completed');
    const [began, cpuBefore] = [nowMs(), cpu()];
    const { ram } = await pollUntil(source, 'completed');
    const [ended, cpuAfter] = [nowMs(), cpu()];
    await destination.command('stop');
    const blocktime = (await pollUntil(destination, 'completed'))['postcopy-blocktime'];
    const stoppedMs = source.eventMs('STOP');
    const runningMs = destination.eventMs('RESUME');
    const sentBytes = ram?.['postcopy-bytes'] ?? 0;
    if (
      sentBytes < 0.9 * ramBytes ||
      blocktime === undefined ||
      stoppedMs === undefined ||
      runningMs === undefined
    ) {
      throw new Error(`expected QEMU to send ${ramBytes} bytes in postcopy, found ${sentBytes}`);
    }
    const after = new Walker(destination, folder);
    const log = await after.memory(LOG.address, LOG.entryCount * LOG.entryLength);
    const from = clock.counterAt(stoppedMs);
    // The counter stands still while no vCPU runs.
    const to = from + (ended - runningMs) * clock.ticksPerMs;
    const stalls = stallsOf(readLog(log, (await after.state()).loggedCount), { from, to, pageBytes });
    const sortedUs = Float64Array.from(stalls, ({ ticks }) => (ticks / clock.ticksPerMs) * 1000).sort();
    for (const qmp of [source, destination]) qmp.close();
    return {
      mbPerSecond: sentBytes / (ended - began) / 1000,
      downtimeMs: runningMs - stoppedMs,
      stallCount: stalls.length,
      p50Us: nearestRank(sortedUs, 500) ?? 0,
      p99Us: nearestRank(sortedUs, 990) ?? 0,
      blocktimeMs: blocktime,
      postcopySeconds: (ended - began) / 1000,
      sourceCpuSeconds: cpuAfter[0] - cpuBefore[0],
      destinationCpuSeconds: cpuAfter[1] - cpuBefore[1],
    };
  } finally {
    await endProcesses(processes);
    rmSync(folder, { recursive: true });
  }
}
