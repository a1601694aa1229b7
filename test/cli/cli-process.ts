// Runs the program `postcopy` as people do, and waits for what it prints.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { repositoryUrl } from '../fixtures.ts';

const PROGRAM = fileURLToPath(repositoryUrl('dist/src/cli/postcopy.js'));

/** A program that has not printed by then what it is to print is killed. */
const PRINT_LIMIT_MS = 60_000;

/** What a run of the program came to. */
export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running `postcopy`. */
export class CliProcess {
  readonly child: ChildProcessWithoutNullStreams;
  readonly #result: Promise<CliResult>;
  #seen = '';

  constructor(...args: readonly string[]) {
    // tap's loader makes each process slow, and none of this is for coverage.
    this.child = spawn(process.execPath, [PROGRAM, ...args], { env: { ...process.env, NODE_OPTIONS: '' } });
    this.child.stderr.on('data', (piece: Buffer) => {
      this.#seen += piece.toString();
    });
    this.#result = Promise.all([
      once(this.child, 'close') as Promise<[number | null]>,
      text(this.child.stdout).catch(() => ''), // closed by a test that does not want it
    ]).then(([[code], stdout]) => ({ code, stdout, stderr: this.#seen }));
  }

  /** The URI that it says it listens on. */
  listening(): Promise<string> {
    return this.said(/listening on (\S+)\n/);
  }

  /** The first group of what it says on stderr, as soon as that matches. */
  async said(expected: RegExp): Promise<string> {
    for (;;) {
      const match = expected.exec(this.#seen);
      if (match !== null) return match[1]!;
      await Promise.race([once(this.child.stderr, 'data'), this.#diedEarly()]);
    }
  }

  /** Waits until it has printed something on stdout that matches. Rejects when it ends before, or takes too long. */
  async printed(expected: RegExp): Promise<void> {
    let seen = '';
    const look = (piece: Buffer): void => {
      seen += piece.toString();
    };
    this.child.stdout.on('data', look);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), PRINT_LIMIT_MS);
    while (!expected.test(seen)) await Promise.race([once(this.child.stdout, 'data'), this.#diedEarly()]);
    clearTimeout(timer);
    this.child.stdout.off('data', look);
  }

  async #diedEarly(): Promise<never> {
    const { code, stderr } = await this.#result;
    throw new Error(`ended with ${code} before it did what was awaited: ${stderr}`);
  }

  /** What came of it, when it has ended. */
  result(): Promise<CliResult> {
    return this.#result;
  }
}

/** Runs the program to its end. */
export function runCli(...args: readonly string[]): Promise<CliResult> {
  return new CliProcess(...args).result();
}
