// `postcopy dissect`: reads a migration from files, captures or live, and prints its records or a summary.
import { DissectionSession } from '../analysis/dissection-session.ts';
import { MigrationSummary } from '../analysis/migration-summary.ts';
import type { TimedSink } from '../analysis/timed-entry.ts';
import { OptionError } from '../errors.ts';
import { PROFILES } from '../protocol/profile.ts';
import { type DissectInput, inputPieces } from './dissect-input.ts';
import { entryWriter, LineOutput } from './dissection-text.ts';
import { PROXY_OPTIONS, runProxy } from './live-proxy.ts';
import type { Arguments, CommandHelp } from './option-table.ts';
import { EXIT } from './output.ts';
import { summaryLines } from './summary-text.ts';

/** Help and options of `postcopy dissect`. */
export const DISSECT_HELP = {
  usage: 'postcopy dissect (INPUT | --listen URI --to URI) [OPTIONS]',
  summary:
    'Prints a migration record by record: a stream, a recording, a pcap or pcapng capture, - for stdin, or live.',
  options: {
    'return-path': { value: 'FILE', doc: 'the other direction of a stream that is a file' },
    preempt: { value: 'FILE', doc: 'the preempt channel of a stream that is a file' },
    port: {
      value: 'N',
      doc: "in a capture: the destination's port; without it, connections that begin with QEVM",
    },
    summary: { doc: 'print states, pages, requests, discards, bytes and anomalies instead of the records' },
    follow: { doc: 'read on as the input grows: until a recording has its result, or Ctrl-C' },
    profile: { value: 'PROFILE', doc: '7.2, 10.x or strict: which commands are known', default: '10.x' },
    ...PROXY_OPTIONS,
    json: { doc: 'print a JSON object a line; with --summary one in all' },
    help: { short: 'h', doc: 'print this help' },
  },
  examples: [
    { doc: 'what a source sent', command: 'postcopy dissect migration.bin' },
    {
      doc: 'both directions with times: how long did page requests take?',
      command: 'postcopy dissect --summary test/fixtures/captures/d1-postcopy-4k-bios',
    },
    { doc: 'a capture of tcpdump -s 0 -w m.pcap', command: 'postcopy dissect --port 4444 m.pcap' },
    {
      doc: 'live, between two peers',
      command: 'postcopy dissect --listen tcp:0.0.0.0:4444 --to tcp:destination:4444',
    },
  ],
} as const satisfies CommandHelp;

/** A dissection on its way to stdout. */
class Dissection {
  readonly session: DissectionSession;
  readonly output = new LineOutput(process.stdout);
  readonly #summary: MigrationSummary | undefined;
  readonly #isJson: boolean;

  constructor(args: Arguments, preemptConns: readonly number[]) {
    this.#isJson = args.has('json');
    this.#summary = args.has('summary') ? new MigrationSummary() : undefined;
    const sink: TimedSink = this.#summary ?? entryWriter(this.output, this.#isJson);
    this.session = new DissectionSession(sink, { profile: args.choice('profile', PROFILES), preemptConns });
  }

  /** Prints what is left. `isComplete`: nothing more could have come, so what is cut is cut. */
  async finish(isComplete: boolean): Promise<number> {
    if (isComplete) this.session.end();
    const totalBytes = Object.values(this.session.pushedBytes).reduce((sum, count) => sum + count, 0);
    if (this.#summary !== undefined) {
      const report = this.#summary.report(totalBytes, isComplete);
      for (const line of this.#isJson ? [JSON.stringify(report)] : summaryLines(report))
        this.output.write(line);
    }
    await this.output.flush();
    return this.session.hasFailed ? EXIT.FAILED : EXIT.COMPLETED;
  }
}

async function dissectFiles(args: Arguments): Promise<number> {
  let isCancelled = false;
  const input: DissectInput = {
    path: args.positionals[0],
    returnPath: args.text('return-path'),
    preemptPath: args.text('preempt'),
    port: args.text('port') === undefined ? undefined : args.integer('port', 1, 65_535),
    follow: args.has('follow') ? { isCancelled: () => isCancelled } : undefined,
  };
  const isSurplus = args.positionals.length > 1;
  if (isSurplus) throw new OptionError('bad-option', `unexpected argument '${args.positionals[1]}'`);
  if (input.path === undefined && input.returnPath === undefined && input.preemptPath === undefined) {
    throw new OptionError('missing-option', 'expected an input, or --listen URI and --to URI');
  }
  const dissection = new Dissection(args, input.preemptPath === undefined ? [] : [1]);
  const { session, output } = dissection;
  let stop = (): void => undefined;
  const stopped = new Promise<undefined>((resolve) => {
    stop = () => {
      isCancelled = true;
      resolve(undefined);
    };
  });
  process.once('SIGINT', stop); // the second one ends the program
  const pieces = inputPieces(input);
  // What is awaited from stdin may never come; a file that is followed ends with what is there.
  const next = () => (input.follow === undefined ? Promise.race([pieces.next(), stopped]) : pieces.next());
  try {
    for (let piece = await next(); piece?.done === false; piece = await next()) {
      const { conn, dir, bytes, tSeconds, gap } = piece.value;
      session.push(conn, dir, bytes, tSeconds);
      if (gap !== undefined) session.breakOff(conn, dir, gap);
      await output.flush();
      if (output.isClosed || isCancelled) break;
    }
  } finally {
    process.off('SIGINT', stop);
    if (isCancelled && input.path === '-') process.stdin.destroy();
    else await pieces.return(undefined);
  }
  const exitCode = await dissection.finish(!isCancelled && !output.isClosed);
  // Ctrl-C is how following ends; anything else it cuts short.
  return isCancelled && input.follow === undefined ? EXIT.CANCELLED : exitCode;
}

async function dissectLive(args: Arguments): Promise<number> {
  if (args.positionals.length > 0)
    throw new OptionError('bad-option', 'expected either an input or --listen');
  const dissection = new Dissection(args, []);
  const { session, output } = dissection;
  let beganNs: bigint | undefined;
  const result = await runProxy(args, () => ({
    open: () => undefined,
    append: (conn, dir, bytes) => {
      const nowNs = process.hrtime.bigint();
      beganNs ??= nowNs;
      session.push(conn, dir, bytes, Number(nowNs - beganNs) / 1e9);
      return output.flush();
    },
    end: (conn, dir) => session.endStream(conn, dir),
  }));
  if (result.tapError !== undefined) throw result.tapError;
  const exitCode = await dissection.finish(!result.isCancelled);
  if (result.isCancelled) return EXIT.CANCELLED;
  return result.connections.some(({ error }) => error !== undefined) ? EXIT.FAILED : exitCode;
}

/** Runs `postcopy dissect` and returns its exit code. @throws OptionError, TransportError */
export async function dissectCommand(args: Arguments): Promise<number> {
  const isLive = args.text('listen') !== undefined || args.text('to') !== undefined;
  return await (isLive ? dissectLive(args) : dissectFiles(args));
}
