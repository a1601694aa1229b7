// Performs a script against a destination.
import { joinBytes } from '../protocol/message.ts';
import { Answers } from './answers.ts';
import type { Scenario } from './scenario.ts';
import type { PageRequest, ServedPages, Step } from './script.ts';
import type { Stage, StageChannel } from './stage.ts';
import type { Subject } from './subject.ts';

/** A peer that asks for nothing for so long does not ask any more. */
const QUIET_MS = 400;

/** What a scripted scenario may be told beside its steps. */
export interface ScriptOptions {
  readonly variant?: string;
  /** Whether it sends the negotiation's cookie, so that the peer may answer with the extension's messages. */
  readonly negotiates?: boolean;
}

/** A script on its way. */
class ScriptPlay {
  readonly #stage: Stage;
  readonly #options: ScriptOptions;
  #answers: Answers;
  #main!: StageChannel;
  #preempt: StageChannel | undefined;
  #servedCount = 0;

  constructor(stage: Stage, options: ScriptOptions) {
    this.#stage = stage;
    this.#options = options;
    this.#answers = this.#newAnswers();
  }

  #newAnswers(): Answers {
    return new Answers(this.#stage.subject.profile, this.#options.negotiates === true);
  }

  async #connect(): Promise<void> {
    const answers = this.#newAnswers();
    this.#answers = answers;
    this.#servedCount = 0;
    this.#main = await this.#stage.connect((bytes) => answers.push(bytes, 0));
  }

  async play(steps: readonly Step[]): Promise<string | undefined> {
    await this.#connect();
    for (let at = 0; at < steps.length; at += 1) {
      const step = steps[at]!;
      if (step.do === 'send') {
        // What follows each other goes out with one write.
        const { pieces, next } = gatherSends(steps, at);
        await this.#channel(step.on).send(joinBytes(pieces));
        at = next - 1;
      } else if (!(await this.#perform(step))) return step.label;
    }
    return undefined;
  }

  async #perform(step: Exclude<Step, { do: 'send' }>): Promise<boolean> {
    const main = this.#main;
    switch (step.do) {
      case 'await':
        await this.#stage.until(() => step.until(this.#answers) || main.isClosed);
        return step.until(this.#answers);
      case 'await-end':
        return await this.#stage.until(() => main.isClosed || this.#answers.shuts.length > 0);
      case 'listen':
        await this.#stage.until(() => main.isClosed, step.ms);
        return true;
      case 'connect-preempt':
        this.#preempt = await this.#stage.connect();
        return true;
      case 'serve':
        await this.#serve(step.answer, step.isEnough);
        return true;
      case 'close':
        main.end();
        return true;
      case 'reconnect':
        if (!(await this.#stage.until(() => main.isClosed))) return false;
        await this.#connect();
        return true;
    }
  }

  async #serve(
    answer: (request: PageRequest) => ServedPages | undefined,
    isEnough: () => boolean,
  ): Promise<void> {
    const { requests } = this.#answers;
    const { subject } = this.#stage;
    while (!isEnough() && !this.#main.isClosed) {
      const came = await this.#stage.until(
        () => requests.length > this.#servedCount || this.#main.isClosed,
        requests.length === 0 && subject.requests ? subject.timeoutMs : QUIET_MS,
      );
      const request = requests[this.#servedCount];
      if (!came || request === undefined) return;
      this.#servedCount += 1;
      const served = answer(request);
      if (served !== undefined) await this.#channel(served.on).send(served.bytes);
    }
  }

  #channel(on: 'preempt' | undefined): StageChannel {
    return on === 'preempt' ? this.#preempt! : this.#main;
  }
}

function gatherSends(steps: readonly Step[], first: number): { pieces: Uint8Array[]; next: number } {
  const pieces: Uint8Array[] = [];
  const channel = (steps[first] as { on?: string }).on;
  let next = first;
  for (; next < steps.length; next += 1) {
    const step = steps[next]!;
    if (step.do !== 'send' || step.on !== channel) break;
    pieces.push(typeof step.bytes === 'function' ? step.bytes() : step.bytes);
  }
  return { pieces, next };
}

/** A scenario that plays the steps that `build` makes for a peer. */
export function scripted(
  name: string,
  build: (subject: Subject) => readonly Step[],
  options: ScriptOptions = {},
): Scenario {
  return {
    name,
    ...(options.variant === undefined ? {} : { variant: options.variant }),
    play: (stage) => new ScriptPlay(stage, options).play(build(stage.subject)),
  };
}
