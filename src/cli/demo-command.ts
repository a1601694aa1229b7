// `postcopy demo`: runs the two ends of a scenario as processes of their own and shows what came of it.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type ErrorRecord, GuestError, OptionError } from '../errors.ts';
import { withCauses, withoutRequests } from '../telemetry/anatomy.ts';
import { combinePush } from '../telemetry/push-result.ts';
import type { DemoResult, DemoStep, MigrationResult } from '../telemetry/result.ts';
import { OUTPUT_OPTIONS } from './common-options.ts';
import { LINK_OPTIONS, linkOf } from './link-options.ts';
import type { Arguments, CommandHelp } from './option-table.ts';
import { type ChildEvent, EXIT, Output } from './output.ts';
import { SCENARIOS, type Scenario, type ScenarioStep } from './scenarios.ts';
import { ServedWatch } from './serve-watch.ts';
import { watchesInTerminal, watchFeeds } from './watch-in-terminal.ts';
import { WATCH_OPTION, watchAddressOf } from './watch-options.ts';

/** Help and options of `postcopy demo`. */
export const DEMO_HELP = {
  usage: 'postcopy demo [--scenario NAME] [OPTIONS]',
  summary:
    'Migrates a guest between two processes of this machine, with proof that none of its memory was lost.',
  options: {
    scenario: { value: 'NAME', doc: Object.keys(SCENARIOS).join(', '), default: Object.keys(SCENARIOS)[0]! },
    transport: { value: 'NAME', doc: 'tcp, unix or ws', default: 'tcp' },
    guest: { value: 'PROGRAM', doc: 'what each vCPU does (postcopy source --help)' },
    rate: { value: 'N', doc: 'accesses a second of each vCPU' },
    'postcopy-after': { value: 'WHEN', doc: 'now, a number of passes, no-convergence or never' },
    ...LINK_OPTIONS,
    ...WATCH_OPTION,
    control: { doc: 'with --watch: let viewers of the page steer the migration' },
    hold: { doc: 'with --control: let the guest run, and migrate when a viewer of the page says so' },
    ...OUTPUT_OPTIONS,
  },
  examples: [
    { doc: '16 MiB host pages to 1 GiB: refused by QEMU, then negotiated', command: 'postcopy demo' },
    {
      doc: 'over a link of 1 Gbit/s with a round trip of 1 ms',
      command: 'postcopy demo --scenario thp --link 1gbit --rtt 1ms',
    },
    { doc: 'with a page to watch it on', command: 'postcopy demo --watch' },
    { doc: '4 KiB to 2 MiB, as one JSON object', command: 'postcopy demo --scenario thp --json' },
  ],
} as const satisfies CommandHelp;

const PROGRAM = fileURLToPath(new URL('./postcopy.js', import.meta.url));
const ADDRESSES: Readonly<Record<string, () => string>> = {
  tcp: () => 'tcp:127.0.0.1:0',
  unix: () => `unix:/tmp/postcopy-${process.pid}.sock`,
  ws: () => 'ws://127.0.0.1:0/migrate',
};
/** Options of the source that the demo passes on. */
const PASSED_ON = ['guest', 'rate', 'postcopy-after', 'link', 'rtt', 'link-queue'] as const;

/** One end as a process. */
class End {
  readonly process: ChildProcess;
  readonly #stdout: Promise<string>;
  readonly #exited: Promise<unknown>;

  constructor(command: string, args: readonly string[], onEvent: (event: ChildEvent) => void) {
    this.process = fork(PROGRAM, [command, ...args, '--json'], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    this.#stdout = text(this.process.stdout!);
    this.#exited = once(this.process, 'exit');
    this.process.on('message', (event: ChildEvent) => onEvent(event));
  }

  /** The result that it printed; null if it ended without one. */
  async result(): Promise<MigrationResult | null> {
    await this.#exited;
    const printed = await this.#stdout;
    return printed === '' ? null : (JSON.parse(printed) as MigrationResult);
  }

  /** Rejects when the process ends, for who waits for something else of it. */
  async failsWithoutListening(): Promise<never> {
    await this.#exited;
    throw new GuestError('end-died', 'the destination ended before it listened');
  }
}

/** Joins the feed of an end; returns what leaves it. */
type JoinFeed = (end: 'source' | 'destination', url: string) => () => void;

function joinInTerminal(output: Output): JoinFeed {
  const join = watchFeeds(output);
  return (_, url) => {
    join(url);
    return () => undefined; // it left when the end did
  };
}

function joinOnPage({ run }: ServedWatch): JoinFeed {
  return (end, url) => {
    run.join(end, url);
    return () => run.leave(url);
  };
}

/** Runs the two ends of one step. */
async function runStep(
  step: ScenarioStep,
  options: {
    address: string;
    sourceArgs: readonly string[];
    destinationArgs: readonly string[];
    output: Output;
    running: Set<End>;
    /** Joins the feed of an end, and tells what leaves it; undefined where nobody watches. */
    joinFeed: JoinFeed | undefined;
  },
): Promise<DemoStep> {
  const { address, sourceArgs, destinationArgs, output, running, joinFeed } = options;
  const leaving: (() => void)[] = [];
  const join = (end: 'source' | 'destination', url: string): void => {
    if (joinFeed !== undefined) leaving.push(joinFeed(end, url));
  };
  let heard!: (uri: string) => void;
  const listening = new Promise<string>((resolve) => {
    heard = resolve;
  });
  const destination = new End(
    'destination',
    ['--incoming', address, '--faults', ...step.destination, ...destinationArgs],
    (event) => {
      if (event.kind === 'listening') heard(event.uri);
      else if (event.kind === 'feed') join('destination', event.url);
      else if (event.kind === 'progress' && (event.phase === 'hash' || event.phase === 'verify'))
        output.show({ ...event, phase: `${step.name}: ${event.phase}` });
    },
  );
  running.add(destination);
  const uri = await Promise.race([listening, destination.failsWithoutListening()]);
  const source = new End(
    'source',
    ['--migrate', uri, '--requests', ...step.source, ...sourceArgs],
    (event) => {
      if (event.kind === 'feed') join('source', event.url);
      else if (event.kind === 'progress') output.show({ ...event, phase: `${step.name}: ${event.phase}` });
    },
  );
  running.add(source);
  const [sourceResult, destinationResult] = await Promise.all([source.result(), destination.result()]);
  running.clear();
  for (const leave of leaving) leave();
  return {
    name: step.name,
    expectation: step.expectation,
    met: isMet(step, sourceResult, destinationResult),
    source: sourceResult && withoutRequests(sourceResult),
    // The lists that this was joined from are as long as there were faults: nobody asked for them.
    destination: destinationResult && withCauses(sourceResult, destinationResult),
  };
}

/** A refusal must leave the guest alive and unharmed at the source; a completion must prove it at the destination. */
function isMet(
  step: ScenarioStep,
  source: MigrationResult | null,
  destination: MigrationResult | null,
): boolean {
  if (step.outcome === 'refused') {
    return (
      source?.status === 'failed' &&
      source.guestAtSource?.isProved === true &&
      destination?.status === 'failed'
    );
  }
  return source?.status === 'completed' && destination?.status === 'completed' && destination.guestVerified;
}

/** The error of the end that refused: the other saw no more of it than a connection that was closed. */
function causeOf(source: MigrationResult, destination: MigrationResult | null): ErrorRecord | undefined {
  const errors = [source.error, destination?.error].filter((error) => error !== undefined);
  return errors.find((error) => error.name !== 'TransportError') ?? errors[0];
}

/** The figures of the last step as both ends saw them together. */
function combine(name: string, scenario: Scenario, steps: readonly DemoStep[]): DemoResult {
  const last = steps.at(-1)!;
  const { source, destination } = last;
  const either = destination ?? source;
  if (source === null || either === null) {
    throw new GuestError('end-died', `step '${last.name}': an end of the migration ended without a result`);
  }
  const isRefusal = scenario.steps.at(-1)!.outcome === 'refused';
  const stopped = source.marks.guestStoppedNs;
  const running = destination?.marks.guestRunningNs ?? null;
  const judge = isRefusal ? source : either;
  const error = causeOf(source, destination);
  return {
    ...either,
    role: 'demo',
    scenario: name,
    status: source.status === 'completed' ? either.status : source.status,
    guestVerified: judge.guestVerified,
    guestVerification: judge.guestVerification,
    ramSha256: judge.ramSha256,
    negotiated: source.negotiated,
    pages: { ...source.pages, duplicate: destination?.pages.duplicate ?? null },
    bytes: source.bytes,
    times: {
      ...source.times,
      downtimeNs: stopped === null || running === null ? null : running - stopped,
    },
    ...(source.link === undefined ? {} : { link: source.link }),
    passes: source.passes,
    push: combinePush(source.push, destination?.push ?? null),
    marks: { guestStoppedNs: stopped, guestRunningNs: running },
    ...(error === undefined ? {} : { error }),
    guest: judge.guest,
    guestAtSource: source.guestAtSource,
    steps,
  };
}

/** What the destination is told of the emulated link. @throws OptionError */
function floorArguments(args: Arguments): string[] {
  if (linkOf(args) === undefined) return [];
  return ['--floor-link', args.text('link')!, '--floor-rtt', args.text('rtt') ?? '0us'];
}

/** What an end is told where the demo is watched. @throws OptionError */
function feedArguments(args: Arguments, others: readonly string[]): string[] {
  const hasPage = args.has('watch') && !watchesInTerminal(args);
  if (!hasPage) args.refuse(['control', 'hold'], 'without a page to --watch');
  if (!args.has('watch')) return [];
  return [
    '--feed',
    '127.0.0.1:0',
    ...['control', ...others].flatMap((name) => (args.has(name) ? [`--${name}`] : [])),
  ];
}

/** Runs `postcopy demo` and returns its exit code. @throws OptionError */
export async function demoCommand(args: Arguments): Promise<number> {
  const name = args.choice('scenario', Object.keys(SCENARIOS));
  const scenario = SCENARIOS[name]!;
  if (args.positionals.length > 0)
    throw new OptionError('bad-option', `unexpected argument '${args.positionals[0]}'`);
  const address = ADDRESSES[args.choice('transport', Object.keys(ADDRESSES))]!();
  const sourceArgs = PASSED_ON.flatMap((option) => {
    const value = args.text(option);
    return value === undefined ? [] : [`--${option}`, value];
  });
  // The scenarios leave no downtime so that they reach postcopy; without it precopy would then never end.
  if (args.text('postcopy-after') === 'never') sourceArgs.push('--downtime-limit', '300');
  const watchAddress = watchAddressOf(args);
  const destinationArgs = [...floorArguments(args), ...feedArguments(args, [])];
  sourceArgs.push(...feedArguments(args, ['hold']));
  const output = new Output('demo', args);
  const running = new Set<End>();
  let isCancelled = false;
  const interrupted = new AbortController();
  // On a terminal Ctrl-C reaches both ends too; a signal to the demo alone must be passed on.
  const stopListening = output.onInterrupt(() => {
    isCancelled = true;
    interrupted.abort();
    for (const end of running) end.process.kill('SIGINT');
  });
  output.line(`${name}: ${scenario.title}`);
  const watch = watchAddress && (await ServedWatch.serve(watchAddress, args.has('control'), output));
  const joinFeed = watchesInTerminal(args) ? joinInTerminal(output) : watch && joinOnPage(watch);
  const steps: DemoStep[] = [];
  try {
    for (const step of scenario.steps) {
      if (isCancelled) break;
      steps.push(await runStep(step, { address, sourceArgs, destinationArgs, output, running, joinFeed }));
    }
    if (!isCancelled) {
      const exitCode = output.finish(combine(name, scenario, steps));
      await watch?.stay(interrupted.signal);
      return steps.every((step) => step.met) ? exitCode : EXIT.FAILED;
    }
  } catch (error) {
    if (!isCancelled) throw error; // an end that was cancelled before it listened has no result to show
  } finally {
    stopListening();
    await watch?.close();
  }
  const last = steps.at(-1);
  if (last?.source != null) output.finish({ ...combine(name, scenario, steps), status: 'cancelled' });
  return EXIT.CANCELLED;
}
