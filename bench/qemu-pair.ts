// Runs the peer to compare with: two real QEMUs without a guest, the RAM of one pushed to the other in postcopy.
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endProcesses, freePort, startQemu } from './qemu/qemu-process.ts';
import { Qmp } from './qmp.ts';

const POLL_MS = 2;
const MIB = 2 ** 20;
/** Precopy is held at this rate so that nearly all RAM is left for postcopy, which is unlimited. */
const PRECOPY_BYTES_PER_SECOND = MIB;

interface Migration {
  readonly status: string;
  readonly ram?: { readonly 'postcopy-bytes': number };
}

/** Fills the file behind the source's RAM: each page starts with its index, so that none is zero. */
function fillRamFile(path: string, ramBytes: number): void {
  const step = Buffer.alloc(16 * MIB, 0x5a);
  const file = openSync(path, 'w');
  for (let at = 0; at < ramBytes; at += step.length) {
    for (let page = 0; page < step.length; page += 4096) step.writeUInt32LE(1 + (at + page) / 4096, page);
    writeSync(file, step, 0, Math.min(step.length, ramBytes - at));
  }
  closeSync(file);
}

async function pollUntil(qmp: Qmp, isThere: (migration: Migration) => boolean): Promise<Migration> {
  for (;;) {
    const migration = (await qmp.command('query-migrate')) as Migration;
    if (isThere(migration)) return migration;
    if (migration.status === 'failed' || migration.status === 'postcopy-paused') {
      throw new Error(`expected QEMU's migration to complete, found ${migration.status}`);
    }
    await sleep(POLL_MS);
  }
}

/** Migrates `ramBytes` of non-zero RAM, 4 KiB host pages; returns MB/s of the postcopy phase. Needs userfaultfd. */
export async function runQemuPair(ramBytes: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'postcopy-bench-'));
  const ramFile = join(folder, 'ram');
  const paths = { source: join(folder, 'source.qmp'), destination: join(folder, 'destination.qmp') };
  const processes: ChildProcess[] = [];
  try {
    fillRamFile(ramFile, ramBytes);
    const size = `id=ram0,size=${ramBytes / MIB}M`;
    const machine = (backend: string) => [
      ...['-machine', 'none,memory-backend=ram0', '-m', `${ramBytes / MIB}M`, '-object', backend],
    ];
    const port = await freePort();
    processes.push(
      startQemu(paths.source, machine(`memory-backend-file,${size},mem-path=${ramFile},share=on`)),
      startQemu(paths.destination, [...machine(`memory-backend-ram,${size}`), '-incoming', 'defer', '-S']),
    );
    const source = await Qmp.connect(paths.source);
    const destination = await Qmp.connect(paths.destination);
    const uri = `tcp:127.0.0.1:${port}`;
    const capabilities = [{ capability: 'postcopy-ram', state: true }];
    for (const qmp of [source, destination]) {
      await qmp.command('migrate-set-capabilities', { capabilities });
    }
    await destination.command('migrate-incoming', { uri });
    const limits = { 'max-bandwidth': PRECOPY_BYTES_PER_SECOND, 'max-postcopy-bandwidth': 0 };
    await source.command('migrate-set-parameters', limits);
    await source.command('migrate', { uri });
    await pollUntil(source, ({ status }) => status === 'active');
    await source.command('migrate-start-postcopy');
    await pollUntil(source, ({ status }) => status === 'postcopy-active' || status === 'completed');
    const startNs = process.hrtime.bigint();
    const { ram } = await pollUntil(source, ({ status }) => status === 'completed');
    const elapsedNs = Number(process.hrtime.bigint() - startNs);
    const pushedBytes = ram?.['postcopy-bytes'] ?? 0;
    if (pushedBytes < 0.9 * ramBytes) {
      throw new Error(`expected QEMU to push ${ramBytes} bytes in postcopy, found ${pushedBytes}`);
    }
    source.close();
    destination.close();
    return (pushedBytes / elapsedNs) * 1e3;
  } finally {
    await endProcesses(processes);
    rmSync(folder, { recursive: true });
  }
}
