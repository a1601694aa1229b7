// Plays a scripted destination to a source: takes its connections, answers, and waits until it has ended.
import { setTimeout as sleep } from 'node:timers/promises';
import { DissectionSession } from '../analysis/dissection-session.ts';
import type { TimedSink } from '../analysis/timed-entry.ts';
import type { DestinationScript } from './destination-script.ts';
import { forgetPages } from './forget-pages.ts';
import { NoRun, type Scenario } from './scenario.ts';
import { ScriptedDestination } from './scripted-destination.ts';
import { viewOf } from './source-view.ts';
import type { Stage, StageChannel } from './stage.ts';

/** A source that does what it must not while the destination holds still, does it within so long. */
const HOLD_MS = 300;
/** A slow reader takes what has come, and then nothing for so long, so many times. */
const SLOW_MS = 10;
const SLOW_READS = 60;

/** A source that goes on and on, such as one that never converges, is given so many time-outs in all. */
const TIMEOUTS_IN_ALL = 4;

/** One run under way. */
class Play {
  readonly #stage: Stage;
  readonly #script: DestinationScript;
  readonly #destination: ScriptedDestination;
  readonly #session: DissectionSession;
  readonly #channels: StageChannel[] = [];
  readonly #beganMs = performance.now();
  #mainConn = 0;
  #newsCount = 0;
  #holdCount = 0;
  #slowReads = 0;

  constructor(stage: Stage, script: DestinationScript) {
    this.#stage = stage;
    this.#script = script;
    this.#destination = new ScriptedDestination(script, stage.subject, {
      say: (bytes) => this.#say(bytes),
      drop: () => this.#drop(),
      end: () => this.#channels[this.#mainConn]?.end(),
      hold: (then) => void this.#hold(then),
    });
    this.#session = new DissectionSession(this.#sink(), { profile: stage.subject.profile });
  }

  #sink(): TimedSink {
    const destination = this.#destination;
    return {
      entry: (timed) => {
        if (timed.dir === 'fwd' && timed.entry.stream === 'main') this.#mainConn = timed.conn;
        destination.entry(timed);
      },
      pageBytes: (...args) => destination.pageBytes(...args),
      pageEnd: () => destination.pageEnd(),
    };
  }

  /** Returns what was waited for in vain. */
  async play(): Promise<string | undefined> {
    const { peer, subject } = this.#stage;
    void this.#accept();
    const deadlineMs = this.#beganMs + TIMEOUTS_IN_ALL * subject.timeoutMs;
    while (performance.now() < deadlineMs) {
      const before = this.#newsCount;
      if (!(await this.#stage.until(() => this.#isOver || this.#newsCount > before))) break;
      if (this.#isOver) return undefined;
    }
    // Told to end, a peer that waits for something says how far it came.
    void peer.stop();
    if (this.#channels.length === 0) {
      if (peer.isForeign === true) throw new NoRun('no source connected in time');
      return 'the source to connect';
    }
    return this.#channels.every((channel) => channel.isClosed) ? 'the source to end' : 'the source to go on';
  }

  get #isOver(): boolean {
    if (this.#holdCount > 0) return false;
    const { hasEnded, isForeign = false } = this.#stage.peer;
    const hasLeft = this.#channels.length > 0 && this.#channels.every(({ isClosed }) => isClosed);
    return hasEnded || (isForeign && hasLeft);
  }

  async #accept(): Promise<void> {
    for (;;) {
      const conn = this.#stage.channels.length;
      // As long as the run lasts: a connection that nobody waits for any more would be lost.
      const lastingMs = TIMEOUTS_IN_ALL * this.#stage.subject.timeoutMs;
      const channel = await this.#stage.accept((bytes) => this.#read(conn, bytes), lastingMs);
      if (channel === undefined) return;
      this.#channels.push(channel);
      this.#newsCount += 1;
    }
  }

  #read(conn: number, bytes: Uint8Array): void | Promise<void> {
    this.#newsCount += 1;
    this.#session.push(conn, 'fwd', bytes, (performance.now() - this.#beganMs) / 1000);
    if (this.#script.readsSlowly !== true || this.#slowReads >= SLOW_READS) return undefined;
    this.#slowReads += 1;
    return sleep(SLOW_MS);
  }

  #say(bytes: Uint8Array): void {
    void this.#stage.channels[this.#mainConn]?.send(bytes);
  }

  #drop(): void {
    for (const channel of this.#stage.channels) {
      channel.end();
      channel.destroy();
    }
  }

  async #hold(then: () => void): Promise<void> {
    this.#holdCount += 1;
    await sleep(HOLD_MS);
    this.#holdCount -= 1;
    this.#newsCount += 1;
    then();
  }
}

/** A scenario of the source role. */
export function sourceScenario(script: DestinationScript): Scenario {
  const { name, start } = script;
  return {
    name,
    ...(start === 'postcopy' ? {} : { variant: start }),
    async play(stage) {
      const stalledAt = await new Play(stage, script).play();
      const { exchange, subject } = stage;
      const { records } = viewOf(exchange, subject.profile); // made while the pages are there, and kept
      exchange.replace(forgetPages(exchange.pieces, records));
      return stalledAt;
    },
  };
}
