// Shows a migration in a terminal while it runs, drawn over again; in a pipe it writes a plain line now and then.
import type { Viewer } from '../feed/feed-hub.ts';
import type { FeedFrame } from '../feed/feed-messages.ts';
import { FeedModel } from '../feed/feed-model.ts';
import type { ProgressStream } from './progress-bar.ts';
import { stateLine, watchLines } from './watch-lines.ts';

/** Where it is written. */
export interface TtyWatchOptions {
  readonly stream: ProgressStream;
  readonly isTerminal: boolean;
  /** A clock in ms that never goes back; for tests. */
  readonly nowMs?: () => number;
}

const TERMINAL_INTERVAL_MS = 100;
const PIPE_INTERVAL_MS = 1000;
const DEFAULT_COLUMNS = 80;
const LEAST_COLUMNS = 20;

/** A viewer of one or two feeds. The cursor stays visible and where it is, so that nothing has to be put right at the end. */
export class TtyWatch {
  readonly #options: TtyWatchOptions;
  readonly #nowMs: () => number;
  readonly #ends = new Map<string, FeedModel>();
  #writtenMs = Number.NEGATIVE_INFINITY;
  /** Lines on the terminal that are drawn over next. */
  #drawnLines = 0;
  readonly #toldStates = new Map<string, string>();
  readonly #toldMs = new Map<string, number>();

  constructor(options: TtyWatchOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** As a viewer of a feed in this process. */
  get viewer(): Viewer {
    return { backlogBytes: 0, take: (frame) => this.take(frame) };
  }

  /** Takes a frame of either end. */
  take(frame: FeedFrame): void {
    const { end } = frame;
    const model = this.#ends.get(end) ?? new FeedModel();
    this.#ends.set(end, model);
    model.take(frame);
    if (this.#options.isTerminal) {
      if (frame.kind === 'result' || this.#nowMs() - this.#writtenMs >= TERMINAL_INTERVAL_MS) this.#draw();
    } else {
      this.#tell(end, model);
    }
  }

  /** Takes it off the terminal, so that something else can be written; the next frame draws it again. */
  clear(): void {
    if (this.#drawnLines === 0) return;
    this.#options.stream.write(`\x1b[${this.#drawnLines}A\r\x1b[J`);
    this.#drawnLines = 0;
    this.#writtenMs = Number.NEGATIVE_INFINITY;
  }

  /** What was drawn last stays. */
  end(): void {
    this.#drawnLines = 0;
  }

  #draw(): void {
    this.#writtenMs = this.#nowMs();
    // One column short: a terminal may wrap after the last one. One that was not told its size says 0.
    const columns = Math.max(LEAST_COLUMNS, this.#options.stream.columns || DEFAULT_COLUMNS) - 1;
    const lines = watchLines(this.#ends, columns);
    const up = this.#drawnLines === 0 ? '' : `\x1b[${this.#drawnLines}A\r`;
    this.#options.stream.write(`${up}\x1b[J${lines.join('\n')}\n`);
    this.#drawnLines = lines.length;
  }

  #tell(end: string, model: FeedModel): void {
    const state = model.last.state?.state;
    if (state === undefined) return;
    const isNew = this.#toldStates.get(end) !== state;
    const nowMs = this.#nowMs();
    if (!isNew && nowMs - (this.#toldMs.get(end) ?? 0) < PIPE_INTERVAL_MS) return;
    this.#toldStates.set(end, state);
    this.#toldMs.set(end, nowMs);
    this.#options.stream.write(`${stateLine(end, model)}\n`);
  }
}
