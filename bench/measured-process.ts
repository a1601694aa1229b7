// Runs a program of ours as a process, and reads what it printed, its CPU time and the peak of its memory.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

/** What a process used, told by itself when it ended. */
export interface ProcessUsage {
  /** Peak resident set in bytes. Memory that its threads share counts once. */
  readonly peakRssBytes: number;
  readonly cpuSeconds: number;
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
  readonly #stdout: Promise<string>;
  readonly #usage: Promise<string>;
  readonly #exit: Promise<unknown[]>;

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
    this.#stdout = text(this.child.stdout!);
    this.#usage = text(this.child.stdio[USAGE_FD] as Readable);
    this.#exit = once(this.child, 'exit');
  }

  /** The first match of `pattern` in a line on stderr. @throws Error if the process ends before */
  async awaitLine(pattern: RegExp): Promise<RegExpExecArray> {
    const lines: string[] = [];
    for await (const line of createInterface(this.child.stderr!)) {
      const match = pattern.exec(line);
      if (match !== null) return match;
      lines.push(line);
    }
    throw new Error(`${this.name}: expected a line like ${pattern}, found the end after ${lines.join('\n')}`);
  }

  /** Waits for the end; returns what was printed on stdout, and the usage. @throws Error unless the exit code is 0 */
  async finish(): Promise<{ stdout: string; usage: ProcessUsage }> {
    this.child.stderr!.resume(); // what nobody reads must not fill the pipe
    const late = setTimeout(() => this.child.kill('SIGKILL'), LIMIT_MS);
    const [code, signal] = await this.#exit;
    clearTimeout(late);
    const [stdout, usage] = await Promise.all([this.#stdout, this.#usage]);
    if (code !== 0) {
      throw new Error(
        `${this.name}: expected exit code 0, found ${code ?? signal}: ${stdout.slice(0, 2000)}`,
      );
    }
    return { stdout, usage: JSON.parse(usage) as ProcessUsage };
  }
}
