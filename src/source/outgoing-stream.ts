// What is written to one channel: batches that become steps for the driver, and what was sent so far.
import type { RamBlock } from '../machine/ram-block.ts';
import { encodeSection } from '../protocol/sections.ts';
import type { SharedPageClaims } from './page-claims.ts';
import { BATCH_BYTES, RecordBatch, type StreamPieces } from './record-batch.ts';
import { RAM_SECTION_ID, ramPayloadEnd } from './setup-records.ts';

/** Where bytes go: all of the stream, or requested pages alone. */
export type ChannelName = 'main' | 'preempt';

/** Why bytes are sent: a bandwidth limit applies to some of them only, never to what a vCPU waits for (`requested`). */
export type SendClass = 'control' | 'precopy' | 'background' | 'requested';

/** Bytes that are to leave. */
export interface SendStep extends StreamPieces {
  readonly do: 'send';
  readonly channel: ChannelName;
  readonly class: SendClass;
}

/** What the driver is to do before it asks for the next step. */
export type OutgoingStep =
  | SendStep
  | { readonly do: 'open-preempt' }
  /** From now on another thread answers requests, with what it claims of these pages. */
  | {
      readonly do: 'begin-answers';
      readonly placementPageBytes: readonly number[];
      readonly claims: SharedPageClaims;
    }
  /** Until it answers no more, and what it has claimed was written. */
  | { readonly do: 'end-answers' }
  | { readonly do: 'await-return-path'; readonly what: string; readonly isHere: () => boolean }
  /** Until a page is requested, or so long. */
  | { readonly do: 'await-request'; readonly forNs: number }
  | { readonly do: 'stop-guest' };

/** Counters of an outgoing migration. */
export interface OutgoingCounters {
  precopyPages: number;
  backgroundPages: number;
  requestedPages: number;
  zeroPages: number;
  /** Target pages in discards, and those of them that were sent and clean. */
  discardedPages: number;
  amplifiedPages: number;
  wireBytes: number;
}

/** A part of the migration: yields steps, and is given the time in monotonic ns after each. */
export type Steps<T = void> = Generator<OutgoingStep, T, number>;

/** Counters of a migration that has sent nothing. */
export function zeroCounters(): OutgoingCounters {
  return {
    precopyPages: 0,
    backgroundPages: 0,
    requestedPages: 0,
    zeroPages: 0,
    discardedPages: 0,
    amplifiedPages: 0,
    wireBytes: 0,
  };
}

/** Writes one channel. Bytes of a step may be overwritten once the next step is asked for. */
export class OutgoingStream {
  /** Of the whole migration. */
  readonly counters: OutgoingCounters;
  /** The time of the last step, in monotonic ns. */
  nowNs = 0;
  readonly #channel: ChannelName;
  readonly #batch = new RecordBatch();
  #isInsideRamPayload = false;
  /** The same as the peer sees it, before and after the bytes of the last step. */
  #wasInsideBeforeStep = false;
  #isInsideAfterStep = false;

  constructor(channel: ChannelName, counters: OutgoingCounters) {
    this.#channel = channel;
    this.counters = counters;
  }

  /** Makes batches leave from so many bytes on; the most is 512 KiB. */
  set batchBytes(lengthBytes: number) {
    this.#batch.fullBytes = Math.min(BATCH_BYTES, lengthBytes);
  }

  /** Bytes gathered for the next step. */
  get pendingBytes(): number {
    return this.#batch.lengthBytes;
  }

  /**
   * Whether what the peer got ends inside a ram section. There a command would be read as a page, and outside of it the
   * end of a payload would be read as EOF. `isLastStepSent` tells whether the peer got the bytes of the last step.
   */
  isInsideRamPayload(isLastStepSent: boolean): boolean {
    return isLastStepSent ? this.#isInsideAfterStep : this.#wasInsideBeforeStep;
  }

  /** Whether it is time to flush. */
  get isFull(): boolean {
    return this.#batch.isFull;
  }

  /** Makes the next page record name its block (rule S7). */
  forgetBlock(): void {
    this.#batch.forgetBlock();
  }

  /** Clean first, read when it is written: a write in between is logged again, the other way round it would be lost. */
  appendPage(block: RamBlock, page: number): void {
    block.dirty.clear(page);
    block.sent.set(page);
    if (this.#batch.appendPage(block, page)) this.counters.zeroPages += 1;
  }

  /** Adds bytes, of any length. */
  *write(bytes: Uint8Array, sendClass: SendClass = 'control'): Steps {
    if (!this.#batch.hasRoomFor(bytes.length)) yield* this.flush(sendClass);
    if (this.#batch.hasRoomFor(bytes.length)) this.#batch.append(bytes);
    else yield* this.#emit({ pieces: [bytes], lengthBytes: bytes.length }, sendClass);
  }

  /** Adds bytes and sends all there is. */
  *send(bytes: Uint8Array): Steps {
    yield* this.write(bytes);
    yield* this.flush('control');
  }

  /** Sends all there is. */
  *flush(sendClass: SendClass): Steps {
    if (!this.#batch.isEmpty) yield* this.#emit(this.#batch.take(), sendClass);
  }

  *beginRamPayload(section: 'SECTION_PART' | 'SECTION_END', sendClass: SendClass): Steps {
    yield* this.write(encodeSection(section, { sectionId: RAM_SECTION_ID }), sendClass);
    this.#isInsideRamPayload = true;
  }

  *endRamPayload(sendClass: SendClass): Steps {
    yield* this.write(ramPayloadEnd(), sendClass);
    this.#isInsideRamPayload = false;
  }

  /** Hands a step to the driver that is not about bytes. */
  *perform(step: Exclude<OutgoingStep, { do: 'send' }>): Steps {
    this.nowNs = yield step;
  }

  *#emit(gathered: StreamPieces, sendClass: SendClass): Steps {
    this.counters.wireBytes += gathered.lengthBytes;
    this.#wasInsideBeforeStep = this.#isInsideAfterStep;
    this.#isInsideAfterStep = this.#isInsideRamPayload;
    this.nowNs = yield { do: 'send', channel: this.#channel, class: sendClass, ...gathered };
  }
}
