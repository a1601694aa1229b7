// Progress of a migration on stderr: a bar on a terminal, a few plain lines in a pipe.

import { printable } from '../protocol/printable.ts';
import { formatBytes } from './format-quantity.ts';
import { cut } from './text-layout.ts';

/** Where a migration stands. */
export interface ProgressState {
  readonly phase: string;
  readonly doneBytes: number;
  /** 0 while the total is not known. */
  readonly totalBytes: number;
  /** A few words beside the figures. */
  readonly detail?: string;
}

/** The part of a stream that progress is written to. */
export interface ProgressStream {
  write(text: string): unknown;
  /** Width of the terminal; it may change. */
  readonly columns?: number;
}

/** What a `Progress` is made from. */
export interface ProgressOptions {
  readonly stream: ProgressStream;
  readonly isTerminal: boolean;
  /** Begins each line, such as `source`. */
  readonly label: string;
  /** False to write nothing at all, as with --json. */
  readonly enabled?: boolean;
  /** A clock in ms that never goes back; for tests. */
  readonly nowMs?: () => number;
}

const BAR_WIDTH = 24;
const DEFAULT_COLUMNS = 80;
const TERMINAL_INTERVAL_MS = 100;
const PIPE_INTERVAL_MS = 1000;
/** To the start of the line, and delete it. The only sequence used: the cursor is never hidden or moved elsewhere. */
const CLEAR_LINE = '\r\x1b[2K';

/**
 * Progress of one migration.
 *
 * On a terminal one line is drawn over again, at most ten times a second, and cleared at the end; it never wraps.
 * In a pipe a line is written at each new phase and at most once a second within it.
 * A program that is interrupted calls `clear()` from its signal handler; nothing else has to be put right.
 */
export class Progress {
  readonly #stream: ProgressStream;
  readonly #isTerminal: boolean;
  readonly #label: string;
  readonly #enabled: boolean;
  readonly #nowMs: () => number;
  #phase: string | undefined;
  #writtenMs = Number.NEGATIVE_INFINITY;
  /** The last line in a pipe: it is not written again while nothing moves. */
  #written = '';
  #bar: 'absent' | 'drawn' | 'ended' = 'absent';

  constructor(options: ProgressOptions) {
    this.#stream = options.stream;
    this.#isTerminal = options.isTerminal;
    this.#label = printable(options.label);
    this.#enabled = options.enabled ?? true;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** Shows where the migration stands, if it is time to. A new phase is always shown. */
  update(state: ProgressState): void {
    const { doneBytes, totalBytes } = state;
    if (doneBytes === 0 && totalBytes === 0 && state.detail === undefined) {
      this.phase(state.phase);
      return;
    }
    if (!this.#isDue(state.phase)) return;
    const detail = state.detail === undefined ? '' : `  ${state.detail}`;
    const fraction = totalBytes > 0 ? Math.min(1, Math.max(0, doneBytes / totalBytes)) : 0;
    // Rounded down, so that 100 % stands only there when it is all done.
    const percent = `${String(Math.floor(fraction * 100)).padStart(3)} %`;
    const figures =
      totalBytes > 0
        ? `${percent}  ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`
        : formatBytes(doneBytes);
    const filled = Math.floor(fraction * BAR_WIDTH);
    const bar =
      this.#isTerminal && totalBytes > 0 ? ` [${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}]` : '';
    this.#write(`${this.#label}: ${state.phase}${bar} ${figures}${detail}`);
  }

  /** Shows that a phase has begun, with no figures yet. */
  phase(name: string): void {
    if (this.#phase !== name && this.#isDue(name)) this.#write(`${this.#label}: ${name}`);
  }

  /** Ends the progress: clears the bar and writes a last line, if given. Later calls do nothing. */
  done(line?: string): void {
    if (this.#bar === 'ended') return;
    this.clear();
    this.#bar = 'ended';
    if (this.#enabled && line !== undefined) this.#stream.write(`${this.#label}: ${printable(line)}\n`);
  }

  /** Takes the bar off the terminal, so that other output can be written; the next update draws it again. */
  clear(): void {
    if (this.#bar !== 'drawn') return;
    this.#bar = 'absent';
    this.#writtenMs = Number.NEGATIVE_INFINITY;
    this.#stream.write(CLEAR_LINE);
  }

  #isDue(phase: string): boolean {
    if (!this.#enabled || this.#bar === 'ended') return false;
    const nowMs = this.#nowMs();
    const intervalMs = this.#isTerminal ? TERMINAL_INTERVAL_MS : PIPE_INTERVAL_MS;
    if (phase === this.#phase && nowMs - this.#writtenMs < intervalMs) return false;
    this.#phase = phase;
    this.#writtenMs = nowMs;
    return true;
  }

  #write(text: string): void {
    if (!this.#isTerminal) {
      if (text !== this.#written) this.#stream.write(`${printable(text)}\n`);
      this.#written = text;
      return;
    }
    // One column short: a terminal may wrap after the last one.
    // A terminal that was not told its size, as under script(1), says 0.
    const columns = this.#stream.columns || DEFAULT_COLUMNS;
    this.#stream.write(CLEAR_LINE + cut(printable(text), Math.max(1, columns - 1)));
    this.#bar = 'drawn';
  }
}
