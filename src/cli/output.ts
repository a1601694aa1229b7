// Where a command's words go: result to stdout, progress and logs to stderr, events to a parent process if there is one.
import { type Logger, pino } from 'pino';
import type { DestinationEvents } from '../destination/run-destination.ts';
import type { MigrationResult, MigrationStatus } from '../telemetry/result.ts';
import type { Arguments } from './option-table.ts';
import { Progress, type ProgressState } from './progress-bar.ts';
import { reportLines } from './report-text.ts';

/** Exit codes of every command. */
export const EXIT = { COMPLETED: 0, FAILED: 1, USAGE: 2, CANCELLED: 3, PAUSED: 4 } as const;

const EXIT_BY_STATUS: Readonly<Record<MigrationStatus, number>> = {
  completed: EXIT.COMPLETED,
  failed: EXIT.FAILED,
  cancelled: EXIT.CANCELLED,
  'postcopy-paused': EXIT.PAUSED,
};

/** What a command tells the demo that started it. */
export type ChildEvent =
  | { readonly kind: 'listening'; readonly uri: string }
  | { readonly kind: 'feed'; readonly url: string }
  | ({ readonly kind: 'progress' } & ProgressState);

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

/** Output of one command. */
export class Output {
  readonly log: Logger;
  readonly progress: Progress;
  readonly #isJson: boolean;
  /** Whether something else draws on stderr than the progress. */
  readonly #showsFeed: boolean;
  /** Called before a line for a person is written. */
  beforeLine: () => void = () => undefined;

  constructor(label: string, args: Arguments) {
    this.#isJson = args.has('json');
    this.#showsFeed = args.has('watch') && args.text('watch') === 'tty';
    this.log = pino({ name: label, level: args.choice('log-level', LOG_LEVELS) }, pino.destination(2));
    this.progress = new Progress({
      stream: process.stderr,
      isTerminal: process.stderr.isTTY,
      label,
      enabled: !this.#isJson && !this.#showsFeed,
    });
  }

  /** Callbacks that show what a source or destination does. */
  events(): DestinationEvents {
    return {
      onListening: (uri) => {
        this.#tellParent({ kind: 'listening', uri });
        this.log.info({ uri }, 'listening');
        this.line(`listening on ${uri}`);
      },
      onConnected: (peer) => this.log.info({ peer }, 'connected'),
      onPhase: (phase) => this.show({ phase, doneBytes: 0, totalBytes: 0 }),
      onProgress: ({ phase, doneBytes, totalBytes }) => this.show({ phase, doneBytes, totalBytes }),
      onWarning: (message) => {
        this.log.warn(message);
        if (process.stderr.isTTY) this.line(message);
      },
    };
  }

  /** Says where the feed is served. */
  feed(url: string): void {
    this.#tellParent({ kind: 'feed', url });
    this.log.info({ url }, 'feed');
    this.line(`feed on ${url}`);
  }

  /** Says where the page is to be seen. */
  watch(url: string): void {
    this.log.info({ url }, 'watch');
    this.line(`watch at ${url}`);
  }

  /** Shows progress here, or to the parent. */
  show(state: ProgressState): void {
    this.#tellParent({ kind: 'progress', ...state });
    this.progress.update(state);
  }

  /** One line for a person on stderr. */
  line(text: string): void {
    if (this.#isJson) return;
    this.progress.clear();
    this.beforeLine();
    process.stderr.write(`${text}\n`);
  }

  /** Calls `action` with 1, 2, ... at each Ctrl-C or SIGTERM, or when the parent that started this has gone; returns what ends that. */
  onInterrupt(action: (count: number) => void): () => void {
    let count = 0;
    const listener = (): void => {
      count += 1;
      this.progress.clear();
      action(count);
    };
    const signals = ['SIGINT', 'SIGTERM'] as const;
    for (const signal of signals) process.on(signal, listener);
    // Nobody is left to end what a parent has started and left behind, be it before this is called.
    const hasParent = process.send !== undefined;
    if (hasParent && process.connected) process.once('disconnect', listener);
    else if (hasParent) setImmediate(listener);
    return () => {
      for (const signal of signals) process.off(signal, listener);
      process.off('disconnect', listener);
    };
  }

  /** Prints the result and returns the exit code. */
  finish(result: MigrationResult): number {
    this.progress.clear();
    this.beforeLine();
    if (result.error !== undefined) this.log.info(result.error, 'the migration did not complete');
    if (this.#isJson) process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
    else process.stdout.write(`${reportLines(result, { color: process.stdout.isTTY }).join('\n')}\n`);
    const isWrong =
      result.status === 'completed' &&
      result.role !== 'source' &&
      result.guestVerification.startsWith('the RAM differs');
    return isWrong ? EXIT.FAILED : EXIT_BY_STATUS[result.status];
  }

  #tellParent(event: ChildEvent): void {
    // A parent that has gone hears nothing; whoever runs is told by its end.
    if (process.connected) process.send?.(event);
  }
}
