// Runs a program of ours as a process, and reads what it printed, its CPU time and the peak of its memory.
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

/** What a process used, told by itself when it ended. */
export interface ProcessUsage {
  /** Peak resident set in bytes. Memory that its threads share counts once. */
  readonly peakRssBytes: number;
  readonly cpuSeconds: number;
}

/** How a process ended. */
export interface ProcessEnding {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** `null` if it was killed. */
  readonly usage: ProcessUsage | null;
}

const REPORTER = new URL('./report-usage.js', import.meta.url);
/** Descriptor on which report-usage.js tells the usage. */
const USAGE_FD = 3;

/** A process that takes longer hangs. */
const LIMIT_MS = 300_000;

/** A child process under measurement. */
export class MeasuredProcess {
  readonly name: string;
  readonly child: ChildProcess;
  readonly #ended: Promise<ProcessEnding>;
  readonly #errorLines: string[] = [];
  readonly #news = new EventEmitter();
  #isOver = false;

  /** @param through - a command, with its arguments, that runs Node in its turn */
  constructor(name: string, script: URL, args: readonly string[], through: readonly string[] = []) {
    this.name = name;
    // A test runner's loader would slow the child down; it is measured as a user would start it.
    const { NODE_OPTIONS: _, ...env } = process.env;
    const node = [process.execPath, '--import', REPORTER.href, script.pathname, ...args];
    const [command, ...rest] = [...through, ...node];
    this.child = spawn(command!, rest, {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env,
    });
    this.#ended = this.#watch();
  }

  async #watch(): Promise<ProcessEnding> {
    const lines = createInterface(this.child.stderr!).on('line', (line) => {
      this.#errorLines.push(line);
      this.#news.emit('news');
    });
    const [stdout, usage, [exitCode, signal]] = await Promise.all([
      text(this.child.stdout!),
      text(this.child.stdio[USAGE_FD] as Readable),
      once(this.child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
      once(lines, 'close'),
    ]);
    this.#isOver = true;
    this.#news.emit('news');
    return {
      exitCode,
      signal,
      stdout,
      stderr: this.#errorLines.join('\n'),
      usage: usage === '' ? null : (JSON.parse(usage) as ProcessUsage),
    };
  }

  /** The first match of `pattern` in a line on stderr. @throws Error if the process ends before */
  async awaitLine(pattern: RegExp): Promise<RegExpExecArray> {
    for (let seen = 0; ; ) {
      for (; seen < this.#errorLines.length; seen += 1) {
        const match = pattern.exec(this.#errorLines[seen]!);
        if (match !== null) return match;
      }
      if (this.#isOver) {
        throw new Error(
          `${this.name}: expected a line like ${pattern}, found the end after ${this.#errorLines.join('\n')}`,
        );
      }
      await once(this.#news, 'news');
    }
  }

  /** Waits for the end, whatever it is. */
  async ended(): Promise<ProcessEnding> {
    return await this.#ended;
  }

  /** Waits for the end; returns what was printed on stdout, and the usage. @throws Error unless the exit code is 0 */
  async finish(): Promise<{ stdout: string; usage: ProcessUsage }> {
    const late = setTimeout(() => this.child.kill('SIGKILL'), LIMIT_MS);
    const { exitCode, signal, stdout, usage } = await this.#ended;
    clearTimeout(late);
    if (exitCode !== 0 || usage === null) {
      throw new Error(
        `${this.name}: expected exit code 0, found ${exitCode ?? signal}: ${stdout.slice(0, 2000)}`,
      );
    }
    return { stdout, usage };
  }
}
