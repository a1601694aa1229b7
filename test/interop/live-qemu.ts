// Starts real QEMUs for a test, gives them huge pages if the host has any to give, and puts everything back.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { Qmp } from '../../bench/qmp.ts';
import { temporaryDirectory } from '../e2e/command.ts';
import { repositoryUrl } from '../fixtures.ts';

const PROGRAM = 'qemu-system-x86_64';
const HUGE_PAGES = '/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages';
export const MIB = 2 ** 20;
const POSTCOPY_RAM = { capability: 'postcopy-ram', state: true } as const;
/** Of QEMU's bandwidths. */
const UNLIMITED = 0;
/** Statuses of a migration that goes no further. */
const ENDS = ['completed', 'failed', 'cancelled', 'postcopy-paused'];
const POLL_MS = 20;
const POLL_LIMIT_MS = 60_000;

/** Why no QEMU can be tested with here; undefined if one can. The words stand in the list of skipped tests. */
export function whyNoQemu(): string | undefined {
  // A QEMU that awaits a migration looks whether this host lets it have userfaultfd.
  const input = [
    { execute: 'qmp_capabilities' },
    { execute: 'migrate-set-capabilities', arguments: { capabilities: [POSTCOPY_RAM] } },
    { execute: 'quit' },
  ];
  const args = ['-machine', 'none', '-nodefaults', '-display', 'none', '-incoming', 'defer', '-qmp', 'stdio'];
  const { status, stdout } = spawnSync(PROGRAM, args, {
    input: input.map((command) => JSON.stringify(command)).join('\n'),
    encoding: 'utf8',
  });
  if (status !== 0) return `needs ${PROGRAM}`;
  const refusal = /"desc": "([^"]*)"/.exec(stdout)?.[1];
  return refusal === undefined ? undefined : `needs a host on which QEMU can do postcopy: ${refusal}`;
}

interface Teardown {
  teardown(action: () => unknown): void;
}

/** Waits until `look` finds something, with a look every few ms. */
export async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadlineMs = performance.now() + POLL_LIMIT_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${POLL_LIMIT_MS} ms`);
    await sleep(POLL_MS);
  }
}

/** A file of noise, no page of which is zero or equals another; the same in every run. */
export function noiseFile(t: Teardown, lengthBytes: number): string {
  const path = join(temporaryDirectory(t), 'noise');
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  writeFileSync(path, cipher.update(Buffer.alloc(lengthBytes)));
  return path;
}

/** A hugetlbfs with so many free pages of 2 MiB, until the test ends; or why the host has none. */
export function hugePages(t: Teardown, pageCount: number): { path: string } | { missing: string } {
  try {
    const before = Number(readFileSync(HUGE_PAGES, 'utf8'));
    writeFileSync(HUGE_PAGES, String(before + pageCount));
    t.teardown(() => writeFileSync(HUGE_PAGES, String(before)));
    const granted = Number(readFileSync(HUGE_PAGES, 'utf8'));
    if (granted < before + pageCount) throw new Error(`${granted - before} of ${pageCount} granted`);
    const path = join(temporaryDirectory(t), 'huge');
    mkdirSync(path);
    execFileSync('mount', ['-t', 'hugetlbfs', '-o', 'pagesize=2M', 'none', path], { stdio: 'pipe' });
    t.teardown(() => execFileSync('umount', [path]));
    return { path };
  } catch (error) {
    return { missing: `needs huge pages of 2 MiB, and root to reserve them: ${(error as Error).message}` };
  }
}

/** A machine: nothing but RAM, or one whose firmware walks its RAM and proves it. */
export interface QemuOptions {
  readonly machine: 'none' | 'guest';
  readonly ramBytes: number;
  /** A hugetlbfs behind the RAM; else it has 4 KiB pages. */
  readonly hugePath?: string | undefined;
  /** File that is its RAM, instead, on a file system of either kind; it is made if there is none. */
  readonly ramPath?: string | undefined;
  /** File that its RAM is filled from; one on a hugetlbfs cannot be written beforehand. */
  readonly fillPath?: string | undefined;
  /** Whether it waits for a migration. */
  readonly isIncoming: boolean;
  /** Whether it migrates with a preempt channel. */
  readonly isPreempt?: boolean;
}

/** The `memory-backend` behind the RAM. */
function backend({ ramPath, hugePath }: QemuOptions): string {
  if (ramPath !== undefined) return `memory-backend-file,mem-path=${ramPath},share=on`;
  return hugePath === undefined ? 'memory-backend-ram' : `memory-backend-file,mem-path=${hugePath}`;
}

/** What QEMU tells of a migration. */
export interface QemuMigration {
  readonly status?: string;
  readonly 'error-desc'?: string;
  readonly ram?: { readonly 'postcopy-requests': number; readonly 'postcopy-bytes': number };
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A QEMU that runs. */
export class LiveQemu {
  readonly qmp: Qmp;
  readonly #directory: string;

  private constructor(qmp: Qmp, directory: string) {
    this.qmp = qmp;
    this.#directory = directory;
  }

  /** Starts one, with postcopy; it is killed when the test ends. */
  static async start(t: Teardown, options: QemuOptions): Promise<LiveQemu> {
    const directory = temporaryDirectory(t);
    const size = `${options.ramBytes / MIB}M`;
    const memory = `${backend(options)},id=ram0,size=${size}`;
    const machine = options.machine === 'none' ? 'none' : 'microvm';
    const child = spawn(
      PROGRAM,
      [
        ...['-machine', `${machine},memory-backend=ram0`, '-accel', 'tcg', '-m', size, '-object', memory],
        ...['-nodefaults', '-display', 'none', '-qmp', `unix:${directory}/qmp,server=on,wait=off`],
        ...(options.machine === 'none' ? ['-S'] : guestOptions(directory)),
        ...(options.isIncoming ? ['-incoming', 'defer'] : []),
        ...(options.fillPath === undefined
          ? []
          : ['-device', `loader,file=${options.fillPath},addr=0,force-raw=on`]),
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    running.add(child);
    const ended = once(child, 'exit').then(() => running.delete(child));
    t.teardown(async () => {
      child.kill('SIGKILL');
      await ended;
    });
    const qmp = await Qmp.connect(join(directory, 'qmp'));
    t.teardown(() => qmp.close());
    const qemu = new LiveQemu(qmp, directory);
    const preempt = { capability: 'postcopy-preempt', state: options.isPreempt === true };
    await qmp.command('migrate-set-capabilities', { capabilities: [POSTCOPY_RAM, preempt] });
    return qemu;
  }

  /** Listens for a migration; the URI for its source. */
  async listen(): Promise<string> {
    const uri = `unix:${join(this.#directory, 'incoming')}`;
    await this.qmp.command('migrate-incoming', { uri });
    return uri;
  }

  /** Migrates by postcopy, precopy being too slow to end before it. Background pages come at so many bytes a second. */
  async migrate(uri: string, postcopyBytesPerSecond = UNLIMITED): Promise<void> {
    await this.qmp.command('migrate-set-parameters', {
      'max-bandwidth': MIB,
      'max-postcopy-bandwidth': postcopyBytesPerSecond,
    });
    await this.qmp.command('migrate', { uri });
    await until('the migration is active', async () => (await this.status()) === 'active' || undefined);
    await this.qmp.command('migrate-start-postcopy');
  }

  /** Begins to migrate by precopy; with postcopy advised, as it is capable of it, but never begun. */
  async migrateByPrecopy(uri: string): Promise<void> {
    await this.qmp.command('migrate-set-parameters', { 'max-bandwidth': UNLIMITED });
    await this.qmp.command('migrate', { uri });
  }

  /** What it tells of the migration. */
  async migration(): Promise<QemuMigration> {
    return (await this.qmp.command('query-migrate')) as QemuMigration;
  }

  /** Status of the migration. */
  async status(): Promise<string | undefined> {
    return (await this.migration()).status;
  }

  /** How the migration ended. */
  async migrated(): Promise<QemuMigration> {
    return await until('the migration ends', async () => {
      const migration = await this.migration();
      return ENDS.includes(migration.status ?? '') ? migration : undefined;
    });
  }

  /** What becomes of its guest: `running`, `postmigrate`, … */
  async runState(): Promise<string> {
    return ((await this.qmp.command('query-status')) as { status: string }).status;
  }

  /** Its guest-physical RAM. */
  async ram(lengthBytes: number): Promise<Uint8Array> {
    const filename = join(this.#directory, 'ram');
    await this.qmp.command('pmemsave', { val: 0, size: lengthBytes, filename });
    return readFileSync(filename);
  }

  /** What its guest has printed: `.` for each walk of its RAM, `X` for each bad page. */
  serial(): string {
    return readFileSync(join(this.#directory, 'serial'), 'latin1');
  }
}

/** The firmware of the captures is the guest. */
function guestOptions(directory: string): string[] {
  const bios = join(directory, 'guest.bios');
  const packed = readFileSync(repositoryUrl('test/fixtures/captures/guest-up.bios.gz'));
  writeFileSync(bios, gunzipSync(packed));
  return ['-bios', bios, '-serial', `file:${join(directory, 'serial')}`];
}
