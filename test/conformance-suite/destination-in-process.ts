// A destination of ours in this process, good but for the fault that is planted in it.

import type { LayoutBlock } from '../../src/conformance/subject.ts';
import { FaultBoard } from '../../src/destination/fault-board.ts';
import { HostPages } from '../../src/destination/host-pages.ts';
import { IncomingMigration } from '../../src/destination/incoming.ts';
import type { LoadItem } from '../../src/destination/incoming-effects.ts';
import { PostcopyStateCell } from '../../src/destination/incoming-states.ts';
import { MigrationError } from '../../src/errors.ts';
import { PAGE_STATE } from '../../src/machine/page-state.ts';
import { RamImage } from '../../src/machine/ram-block.ts';
import type { Profile } from '../../src/protocol/profile.ts';
import { encodeReturnPath, type ReturnPathName } from '../../src/protocol/return-path-messages.ts';
import type { StreamRecord } from '../../src/protocol/stream-records.ts';
import type { Channel } from '../../src/transport/channel.ts';
import { listenForChannels } from '../../src/transport/open.ts';
import type { ChannelUri } from '../../src/transport/uri.ts';
import { InProcessPeer } from './in-process-peer.ts';

/** A message of the return path before it is encoded. */
export interface Answer {
  readonly name: ReturnPathName;
  readonly values: Readonly<Record<string, unknown>>;
}

/** What a fault may do besides. */
export interface DestinationHands {
  say(...answers: readonly Answer[]): void;
  sayBytes(bytes: Uint8Array): void;
  readonly image: RamImage | undefined;
}

/** What a planted fault changes; each part is made afresh for every run. */
export interface DestinationFault {
  /** Leniency of the core. */
  readonly profile?: Profile;
  /** Machine type that it has; `any` takes each. */
  readonly machine?: string;
  /** Changes what comes in on the main channel before the core sees it. */
  readonly input?: () => (bytes: Uint8Array) => Uint8Array;
  /** Changes what is answered. */
  readonly answer?: () => (answer: Answer, hands: DestinationHands) => readonly Answer[];
  /** Changes a request, which comes as REQ_PAGES_ID where it has to name its block. */
  readonly request?: () => (request: Answer, hands: DestinationHands) => readonly Answer[];
  /** Takes no notice of errors with such a rule or code: the rest of the stream is thrown away, and all is well. */
  readonly overlooks?: RegExp;
  /** Sees each record of the main channel that is not a page, after it was taken. */
  readonly record?: () => (record: StreamRecord, hands: DestinationHands) => void;
  /** Throws what is an error to it alone. */
  readonly refuses?: () => (record: StreamRecord) => void;
  /** Changes how RAM behaves. */
  readonly memory?: (image: RamImage) => void;
  /** Changes RAM at the end. */
  readonly spoil?: (image: RamImage) => void;
  readonly status?: (status: string) => string;
  /** Says why it leaves to every source. */
  readonly saysWhyToAll?: boolean;
  /** Does not close when its migration has failed. */
  readonly staysOpen?: boolean;
}

/** Silence after which a destination that overlooked an error takes the stream to be over. */
const QUIET_MS = 60;

/** A destination. */
export class InProcessDestination extends InProcessPeer {
  readonly #fault: DestinationFault;
  readonly #cell = new PostcopyStateCell();
  readonly #migration: IncomingMigration;
  readonly #answer: ReturnType<NonNullable<DestinationFault['answer']>> | undefined;
  readonly #request: ReturnType<NonNullable<DestinationFault['request']>> | undefined;
  readonly #hands: DestinationHands;
  #image: RamImage | undefined;
  #main: Channel | undefined;
  #preempt: Channel | undefined;
  #isNumb = false;
  #quiet: NodeJS.Timeout | undefined;
  #isRunning = false;
  #asked: { block: number; hostPage: number } | undefined;
  #next = { block: 0, hostPage: 0 };
  #lastNamed: string | undefined;
  #hasLeft = false;

  constructor(uri: ChannelUri, blocks: readonly LayoutBlock[], fault: DestinationFault, preempt: boolean) {
    super();
    this.#fault = fault;
    this.#answer = fault.answer?.();
    this.#request = fault.request?.();
    const self = this;
    this.#hands = {
      say: (...answers) => this.#say(answers),
      sayBytes: (bytes) => this.#write(bytes),
      get image() {
        return self.#image;
      },
    };
    const layout = blocks.map((block) => ({ ...block, kind: 'system' as const }));
    const [record, refuses] = [fault.record?.(), fault.refuses?.()];
    this.#migration = new IncomingMigration(
      {
        profile: fault.profile ?? 'strict',
        machine: fault.machine === 'any' ? undefined : (fault.machine ?? 'none'),
        hostPages: new HostPages({ defaultBytes: 4096, byName: new Map(), layout }),
        acceptsUnknownDevices: false,
        negotiate: true,
        preempt,
      },
      {
        reply: (name, values) => this.#reply({ name, values: values as Answer['values'] }),
        createRam: (specs) => {
          this.#image = RamImage.allocate(specs, 'missing');
          fault.memory?.(this.#image);
          return this.#image;
        },
        load: (items) => queueMicrotask(() => this.#take(() => this.#load(items))),
        warn: () => undefined,
        nowNs: () => Number(process.hrtime.bigint()),
        record: (each) => {
          refuses?.(each);
          record?.(each, this.#hands);
        },
      },
      { cell: this.#cell, board: FaultBoard.allocate(1) },
    );
    void this.#serve(uri, preempt);
  }

  protected override shutDown(): void {
    clearTimeout(this.#quiet);
    this.#main?.destroy();
    this.#preempt?.destroy();
  }

  async #serve(uri: ChannelUri, preempt: boolean): Promise<void> {
    const listener = await listenForChannels(uri);
    this.atEnd(() => listener.close());
    const input = this.#fault.input?.();
    try {
      this.#main = await listener.accept();
      if (preempt) this.#preempt = await listener.accept();
    } catch {
      return; // nobody came
    }
    listener.close();
    this.#main.read({
      data: (bytes, start, end) => {
        const piece = input === undefined ? bytes.subarray(start, end) : input(bytes.slice(start, end));
        this.#hear(() => this.#migration.push(piece, 0, piece.length));
      },
      end: () => this.#hear(() => this.#migration.end()),
      error: () => this.#hear(() => this.#migration.end()),
    });
    this.#preempt?.read({
      data: (bytes, start, end) => this.#hear(() => this.#migration.pushPreempt(bytes, start, end)),
      end: () => this.#hear(() => this.#migration.endPreempt()),
      error: () => this.#hear(() => this.#migration.endPreempt()),
    });
  }

  #hear(action: () => void): void {
    if (this.#hasLeft) return;
    if (this.#isNumb) this.#quiet?.refresh();
    else this.#take(action);
  }

  #take(action: () => void): void {
    if (this.#hasLeft || this.#isNumb) return;
    try {
      action();
      this.#ask();
      if (this.#migration.isComplete) this.#complete();
    } catch (error) {
      if (!(error instanceof MigrationError)) throw error;
      if (this.#fault.overlooks?.test(`${error.rule ?? ''} ${error.code}`) === true) this.#overlook();
      else this.#leave(error);
    }
  }

  #load(items: readonly LoadItem[]): void {
    for (const item of items) {
      if (item.kind === 'ping') this.#reply({ name: 'PONG', values: { value: item.value } });
      if (item.kind !== 'run') continue;
      this.#cell.advance(item.event);
      this.#isRunning = item.event === 'run';
      this.#migration.onGuestRunning();
    }
  }

  /** One vCPU goes through all RAM, and waits for each page that is missing. */
  #ask(): void {
    const { blocks } = this.#image ?? { blocks: [] };
    while (this.#isRunning && !this.#migration.isComplete) {
      if (this.#asked !== undefined) {
        if (blocks[this.#asked.block]!.pageState(this.#asked.hostPage) !== PAGE_STATE.PRESENT) return;
        this.#asked = undefined;
      }
      const block = blocks[this.#next.block];
      if (block === undefined) return;
      const { block: index, hostPage } = this.#next;
      const isLast = hostPage + 1 === block.hostPageCount;
      this.#next = isLast ? { block: index + 1, hostPage: 0 } : { block: index, hostPage: hostPage + 1 };
      if (!block.claim(hostPage)) continue;
      this.#asked = { block: index, hostPage };
      const isNamed = this.#lastNamed !== block.name;
      this.#lastNamed = block.name;
      const place = { start: hostPage * block.hostPageBytes, length: block.hostPageBytes };
      const request: Answer = isNamed
        ? { name: 'REQ_PAGES_ID', values: { ...place, block: block.name } }
        : { name: 'REQ_PAGES', values: place };
      this.#say(this.#request === undefined ? [request] : this.#request(request, this.#hands));
    }
  }

  #reply(answer: Answer): void {
    this.#say(this.#answer === undefined ? [answer] : this.#answer(answer, this.#hands));
  }

  #say(answers: readonly Answer[]): void {
    for (const { name, values } of answers) this.#write(encodeReturnPath(name, values as never));
  }

  #write(bytes: Uint8Array): void {
    this.#main?.write(bytes).catch(() => undefined);
  }

  #overlook(): void {
    this.#isNumb = true;
    this.#quiet = setTimeout(() => {
      this.#reply({ name: 'SHUT', values: { value: 0 } });
      this.#complete();
    }, QUIET_MS);
  }

  #complete(): void {
    this.#hasLeft = true;
    this.#end('completed', 0);
  }

  #leave(error: MigrationError): void {
    this.#hasLeft = true;
    const status = this.#migration.fail() === 'paused' ? 'postcopy-paused' : 'failed';
    if (this.#migration.isNegotiated || this.#fault.saysWhyToAll === true)
      this.#reply({ name: 'REASON', values: { text: error.message.slice(0, 200) } });
    this.#end(status, status === 'failed' ? 1 : 4, error);
  }

  #end(status: string, exitCode: number, error?: MigrationError): void {
    const image = this.#image;
    if (image !== undefined) this.#fault.spoil?.(image);
    const ramSha256 =
      status === 'completed' && image !== undefined && !this.#isNumb
        ? Object.fromEntries(image.blocks.map((block) => [block.name, block.hashSha256()]))
        : undefined;
    const told = this.#fault.status?.(status) ?? status;
    const end = { exitCode, status: told, ramSha256, guestRuns: undefined, lastWords: error?.message ?? '' };
    if (this.#fault.staysOpen === true && status !== 'completed') return;
    this.finish(end, this.#main?.end());
  }
}
