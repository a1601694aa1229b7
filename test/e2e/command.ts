// Runs the program's commands as processes of their own, and tells what they did.
import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { ChildEvent } from '../../src/cli/output.ts';
import type { MigrationResult } from '../../src/telemetry/result.ts';

const PROGRAM = fileURLToPath(new URL('../../src/cli/postcopy.js', import.meta.url));

/** How a command ended. */
export interface Ending {
  readonly exitCode: number | null;
  /** What it printed; undefined if it was killed before. */
  readonly result: MigrationResult;
  readonly stderr: string;
}

/** What still runs; a test that gives up must not leave it behind. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A command that runs. */
export class Command {
  readonly process: ChildProcess;
  readonly ended: Promise<Ending>;
  readonly #events: ChildEvent[] = [];
  readonly #news = new EventEmitter();
  #hasEnded = false;

  constructor(args: readonly string[]) {
    const { NODE_OPTIONS: _, ...env } = process.env; // the test runner's hooks would slow it down
    this.process = fork(PROGRAM, [...args, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: ['--enable-source-maps'],
      env,
    });
    running.add(this.process);
    this.process.on('message', (event: ChildEvent) => {
      this.#events.push(event);
      this.#news.emit('news');
    });
    this.ended = this.#watch();
  }

  async #watch(): Promise<Ending> {
    const printed = Promise.all([text(this.process.stdout!), text(this.process.stderr!)]);
    const [exitCode] = (await once(this.process, 'exit')) as [number | null];
    running.delete(this.process);
    this.#hasEnded = true;
    this.#news.emit('news');
    const [stdout, stderr] = await printed;
    return { exitCode, result: (stdout === '' ? undefined : JSON.parse(stdout)) as MigrationResult, stderr };
  }

  /** The first event for which `matches` holds, past or to come. Rejects if the command ends without it. */
  async event<T extends ChildEvent>(matches: (event: ChildEvent) => event is T): Promise<T> {
    for (let seen = 0; ; ) {
      for (; seen < this.#events.length; seen += 1) {
        const event = this.#events[seen]!;
        if (matches(event)) return event;
      }
      if (this.#hasEnded) throw new Error(`it ended before: ${(await this.ended).stderr}`);
      await once(this.#news, 'news');
    }
  }

  /** Where a destination listens. */
  async listening(): Promise<string> {
    return (await this.event((event) => event.kind === 'listening')).uri;
  }

  /** Waits until the command has shown that it is in a phase. */
  async inPhase(phase: string): Promise<void> {
    type Progress = Extract<ChildEvent, { kind: 'progress' }>;
    await this.event((event): event is Progress => event.kind === 'progress' && event.phase === phase);
  }
}

/** A directory that is removed when the test ends. */
export function temporaryDirectory(t: { teardown(action: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'postcopy-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Both ends of a migration. */
export interface Pair {
  readonly source: Command;
  readonly destination: Command;
}

/** Starts both ends; the source as soon as the destination listens. `through` may put something in between. */
export async function startPair(
  options: { source: readonly string[]; destination: readonly string[]; address?: string },
  through: (uri: string) => Promise<string> = (uri) => Promise.resolve(uri),
): Promise<Pair> {
  const address = options.address ?? 'tcp:127.0.0.1:0';
  const destination = new Command(['destination', '--incoming', address, ...options.destination]);
  const uri = await through(await destination.listening());
  return {
    destination,
    source: new Command(['source', '--migrate', uri, '--warm-up', '20', ...options.source]),
  };
}

/** Runs both ends to their end. */
export async function migrate(
  options: Parameters<typeof startPair>[0],
  through?: Parameters<typeof startPair>[1],
): Promise<{ source: Ending; destination: Ending }> {
  const pair = await startPair(options, through);
  const [source, destination] = await Promise.all([pair.source.ended, pair.destination.ended]);
  return { source, destination };
}
