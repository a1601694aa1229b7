// A source of ours in this process, good but for the fault that is planted in it.
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { filledPage } from '../../src/conformance/migration-plan.ts';
import type { LayoutBlock } from '../../src/conformance/subject.ts';
import { MigrationError, TransportError } from '../../src/errors.ts';
import { type RamBlock, RamImage } from '../../src/machine/ram-block.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import type { Profile } from '../../src/protocol/profile.ts';
import { ReturnPathDecoder, type ReturnPathRecord } from '../../src/protocol/return-path-decoder.ts';
import { OutgoingMigration, type OutgoingOptions } from '../../src/source/outgoing.ts';
import type { OutgoingStep } from '../../src/source/outgoing-stream.ts';
import type { Channel } from '../../src/transport/channel.ts';
import { connectChannel } from '../../src/transport/open.ts';
import type { ChannelUri } from '../../src/transport/uri.ts';
import { InProcessPeer } from './in-process-peer.ts';
import { type RecordEdit, RecordEditor } from './record-editor.ts';

/** What a planted fault changes; each part is made afresh for every run. */
export interface SourceFault {
  /** Changes what is sent. */
  readonly edit?: () => RecordEdit;
  /** Changes what of the return path reaches the core, and may say something at once. */
  readonly hears?: () => (record: ReturnPathRecord, hands: SourceHands) => readonly ReturnPathRecord[];
  /** Takes no notice of errors of the return path with such a rule or code. */
  readonly overlooks?: RegExp;
  readonly options?: Partial<OutgoingOptions>;
  readonly profile?: Profile;
  /** Does not wait for what the core waits for. */
  readonly doesNotAwait?: 'PONG' | 'SHUT';
  readonly status?: (status: string) => string;
  readonly guestRuns?: (runs: boolean) => boolean;
}

/** What a fault may do besides. */
export interface SourceHands {
  send(bytes: Uint8Array): void;
  readonly image: RamImage;
}

/** Ways to start it, beside the usual one, that a source of ours has. */
export const SOURCE_VARIANTS = ['precopy', 'huge', 'hash'] as const;

const DEVICE = {
  idstr: 'timer',
  instanceId: 0,
  versionId: 2,
  payload: Uint8Array.from({ length: 24 }, (_, at) => at),
};
const WAIT_LIMIT_MS = 20_000;
/** As little RAM has to last for many requests, little of it leaves together. */
const BATCH_BYTES = 40 * 1024;
/** Between two batches of background pages. */
const PAUSE_MS = 1;
const TURNS = 6;
/** A zero page among so many. */
const ZERO_EVERY = 7;

/** A source. */
export class InProcessSource extends InProcessPeer {
  readonly #fault: SourceFault;
  readonly #image: RamImage;
  readonly #migration: OutgoingMigration;
  readonly #writes: boolean;
  #channel: Channel | undefined;
  #failure: unknown;
  #hasWritten = false;
  #editor: RecordEditor | undefined;

  constructor(
    uri: ChannelUri,
    blocks: readonly LayoutBlock[],
    fault: SourceFault,
    variant: string | undefined,
  ) {
    super();
    this.#fault = fault;
    this.#writes = variant !== 'precopy';
    this.#image = RamImage.allocate(
      blocks.map((block) => ({ ...block, kind: 'system' as const })),
      'present',
    );
    for (const block of this.#image.blocks) fill(block);
    if (fault.edit !== undefined) this.#editor = new RecordEditor(fault.edit());
    this.#migration = new OutgoingMigration(this.#image, {
      machine: 'none',
      postcopyRam: true,
      negotiate: true,
      postcopyAfter: variant === 'precopy' ? { kind: 'never' } : { kind: 'passes', count: 1 },
      downtimeLimitNs: 0,
      backgroundBatchBytes: BATCH_BYTES,
      preempt: 'none',
      breaksHugePages: true,
      flight: 'unbounded',
      guest:
        variant === 'hash' ? { mmu: 'hash', guestPageBytes: 65_536 } : { mmu: 'radix', guestPageBytes: 4096 },
      ...fault.options,
    });
    void this.#run(uri);
  }

  protected override shutDown(): void {
    this.#failure ??= new Error('stopped');
    this.#channel?.destroy();
  }

  async #run(uri: ChannelUri): Promise<void> {
    let error: unknown;
    try {
      this.#channel = await connectChannel(uri, WAIT_LIMIT_MS);
      this.#listen(this.#channel);
      const steps = this.#migration.run();
      for (let step = steps.next(now()); step.done !== true; step = steps.next(now())) {
        if (this.#failure !== undefined) throw this.#failure;
        if (!(await this.#perform(step.value))) break;
      }
    } catch (thrown) {
      error = thrown;
      const { state } = this.#migration;
      if (state !== 'failed' && state !== 'completed') this.#migration.advance('error');
      await this.#sayWhy(thrown);
    }
    if (!this.hasEnded) this.#tell(error);
  }

  /** False if the migration is over, whatever the core thinks. */
  async #perform(step: OutgoingStep): Promise<boolean> {
    if (step.do === 'stop-guest') {
      this.#migration.devices = [DEVICE];
      return true;
    }
    if (step.do === 'await-return-path') {
      const { doesNotAwait } = this.#fault;
      if (doesNotAwait === step.what && doesNotAwait === 'SHUT') return false;
      await this.#until(step.isHere, step.what);
      return true;
    }
    if (step.do !== 'send') throw new Error(`this source never does ${step.do}`);
    await this.#send(joinBytes(step.pieces));
    if (step.class === 'precopy' && this.#writes) this.#write();
    // Both ends are in one event loop: what the destination says to this has its turns to come before the next pages.
    if (step.class === 'background') await sleep(PAUSE_MS);
    for (let turn = 0; turn < TURNS; turn += 1) await nextTurn();
    return true;
  }

  async #send(bytes: Uint8Array): Promise<void> {
    const pieces = this.#editor === undefined ? [bytes] : this.#editor.push(bytes);
    const sent = joinBytes(pieces);
    if (sent.length > 0) await this.#channel!.write(sent);
  }

  /** The guest writes every other page while precopy is under way. */
  #write(): void {
    if (this.#hasWritten) return;
    this.#hasWritten = true;
    for (const block of this.#image.blocks) {
      for (let page = 1; page < block.targetPageCount; page += 2) {
        block.copyIn(page * 4096, filledPage(block.spec, page, 2), 0, 4096);
        block.dirtyLog.set(page);
      }
    }
  }

  #listen(channel: Channel): void {
    const { fault, migration } = { fault: this.#fault, migration: this.#migration };
    const hears = fault.hears?.();
    const hands: SourceHands = {
      send: (bytes) => void channel.write(bytes).catch(() => undefined),
      image: this.#image,
    };
    let frame = new Uint8Array(0);
    const take = (bytes: Uint8Array): void => {
      // A decoder for each message: one that is bad and overlooked must not take the next ones with it.
      const decoder = new ReturnPathDecoder(
        (record) => {
          for (const heard of hears?.(record, hands) ?? [record]) migration.onReturnPath(heard, now());
        },
        { profile: fault.profile ?? 'strict' },
      );
      decoder.extension = true;
      this.#overlooking(() => decoder.push(bytes));
    };
    channel.read({
      data: (input, start, end) => {
        frame = Buffer.concat([frame, input.subarray(start, end)]);
        for (let length = frameBytes(frame); frame.length >= length; length = frameBytes(frame)) {
          take(frame.slice(0, length));
          frame = frame.subarray(length);
        }
      },
      end: () => this.#fail(migration.onReturnPathEnd()),
      error: (error) => this.#fail(error),
    });
  }

  #overlooking(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof MigrationError)) throw error;
      if (this.#fault.overlooks?.test(`${error.rule ?? ''} ${error.code}`) !== true) this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (error !== undefined) this.#failure ??= error;
  }

  async #until(isHere: () => boolean, what: string): Promise<void> {
    const deadlineMs = performance.now() + WAIT_LIMIT_MS;
    while (!isHere()) {
      if (this.#failure !== undefined) throw this.#failure;
      if (performance.now() > deadlineMs) throw new TransportError('peer-silent', `expected ${what}`);
      await sleep(1);
    }
  }

  async #sayWhy(error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    const farewell = this.#migration.farewell(reason, true);
    if (farewell !== undefined) await this.#channel?.write(farewell).catch(() => undefined);
  }

  #tell(error: unknown): void {
    const { state, hasGivenGuestAway } = this.#migration;
    const isOver = this.#fault.doesNotAwait === 'SHUT' && error === undefined;
    const told = isOver ? 'completed' : state;
    const status = this.#fault.status?.(told) ?? told;
    const runs = !hasGivenGuestAway;
    this.finish(
      {
        exitCode: status === 'completed' ? 0 : status === 'postcopy-paused' ? 4 : 1,
        status,
        ramSha256:
          status === 'completed'
            ? Object.fromEntries(this.#image.blocks.map((block) => [block.name, block.hashSha256()]))
            : undefined,
        guestRuns: this.#fault.guestRuns?.(runs) ?? runs,
        lastWords: error instanceof Error ? error.message : '',
      },
      this.#channel?.end(),
    );
  }
}

const HEAD_BYTES = 4;

/** Length of the message at the beginning of some bytes; endless where it is not there to be told. */
function frameBytes(bytes: Uint8Array): number {
  if (bytes.length < HEAD_BYTES) return Number.POSITIVE_INFINITY;
  return HEAD_BYTES + bytes[2]! * 256 + bytes[3]!;
}

function now(): number {
  return performance.now() * 1e6;
}

function fill(block: RamBlock): void {
  for (let page = 0; page < block.targetPageCount; page += 1) {
    if (page % ZERO_EVERY !== 0) block.copyIn(page * 4096, filledPage(block.spec, page, 1), 0, 4096);
  }
}
