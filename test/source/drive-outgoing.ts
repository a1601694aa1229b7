// Drives an outgoing core in memory, as the migration's thread does over a channel.
import type { RamImage } from '../../src/machine/ram-block.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import { ReturnPathDecoder, type ReturnPathRecord } from '../../src/protocol/return-path-decoder.ts';
import type { DeviceSection } from '../../src/source/device-sections.ts';
import { OutgoingMigration, type OutgoingOptions } from '../../src/source/outgoing.ts';
import type { ChannelName, OutgoingStep, SendClass } from '../../src/source/outgoing-stream.ts';

/** What the driver sent in one step. */
export interface SentStep {
  readonly channel: ChannelName;
  readonly bytes: Uint8Array;
  readonly class: SendClass;
}

/** What happens at a step; each hook runs before the next step is asked for. */
export interface DriveHooks {
  onSend?(bytes: Uint8Array, sendClass: SendClass): void;
  /** The core waits for `what`; it must be there when this returns. */
  onAwait?(what: string): void;
  onStopGuest?(): void;
  /** The core waits for a request, for so long at most; one that is answered here ends it. */
  onAwaitRequest?(forNs: number): void;
  /** From now on another thread answers requests; it has answered all when the second one returns. */
  onBeginAnswers?(step: Extract<OutgoingStep, { do: 'begin-answers' }>): void;
  onEndAnswers?(): void;
}

export const DEFAULT_OPTIONS: OutgoingOptions = {
  machine: 'none',
  postcopyRam: true,
  negotiate: false,
  postcopyAfter: { kind: 'immediately' },
  downtimeLimitNs: 0,
  guest: { mmu: 'radix', guestPageBytes: 4096 },
  preempt: 'none',
  breaksHugePages: true,
  flight: 'unbounded',
};

/** An outgoing core with its driver. */
export class OutgoingRig {
  readonly migration: OutgoingMigration;
  readonly image: RamImage;
  readonly sent: SentStep[] = [];
  devices: readonly DeviceSection[] = [];
  isPreemptOpen = false;
  readonly #hooks: DriveHooks;
  readonly #returnPath: ReturnPathDecoder;
  /** Virtual time; each byte takes one ns, so that bandwidth is the same in each run. */
  nowNs = 0;

  constructor(image: RamImage, options: Partial<OutgoingOptions> = {}, hooks: DriveHooks = {}) {
    this.image = image;
    this.migration = new OutgoingMigration(image, { ...DEFAULT_OPTIONS, ...options });
    this.#hooks = hooks;
    this.#returnPath = new ReturnPathDecoder((record) => this.receive(record), {
      profile: 'strict',
    });
    this.#returnPath.extension = true;
  }

  /** Bytes of the return path. */
  answer(bytes: Uint8Array): void {
    this.#returnPath.push(bytes);
  }

  /** A record of the return path. */
  receive(record: ReturnPathRecord): void {
    this.migration.onReturnPath(record, this.nowNs);
  }

  /** Runs to the end, or until `mayGoOn` says no before a step is performed. */
  run(mayGoOn: (step: OutgoingStep) => boolean = () => true): void {
    const steps = this.migration.run();
    for (let step = steps.next(this.nowNs); step.done !== true; step = steps.next(this.nowNs)) {
      if (!mayGoOn(step.value)) return;
      if (step.value.do === 'send') {
        const bytes = joinBytes(step.value.pieces);
        this.sent.push({ channel: step.value.channel, bytes, class: step.value.class });
        this.nowNs += bytes.length;
        this.#hooks.onSend?.(bytes, step.value.class);
      } else if (step.value.do === 'stop-guest') {
        this.migration.devices = this.devices;
        this.#hooks.onStopGuest?.();
      } else if (step.value.do === 'await-request') {
        const before = this.migration.requestCount;
        this.#hooks.onAwaitRequest?.(step.value.forNs);
        if (this.migration.requestCount === before) this.nowNs += step.value.forNs;
      } else if (step.value.do === 'open-preempt') {
        this.isPreemptOpen = true;
      } else if (step.value.do === 'begin-answers') {
        this.#hooks.onBeginAnswers?.(step.value);
      } else if (step.value.do === 'end-answers') {
        this.#hooks.onEndAnswers?.();
      } else {
        this.#hooks.onAwait?.(step.value.what);
        if (!step.value.isHere()) throw new Error(`the core waits for ${step.value.what} for ever`);
      }
    }
  }

  /** What went to the main channel. */
  get bytes(): Uint8Array {
    return this.bytesOn('main');
  }

  /** What went to a channel. */
  bytesOn(channel: ChannelName): Uint8Array {
    return joinBytes(this.sent.filter((step) => step.channel === channel).map((step) => step.bytes));
  }
}
