// An incoming core whose effects a test can see, and whose loader runs when the test says so.
import { FaultBoard } from '../../src/destination/fault-board.ts';
import { HostPages } from '../../src/destination/host-pages.ts';
import { IncomingMigration } from '../../src/destination/incoming.ts';
import type { IncomingOptions, LoadItem } from '../../src/destination/incoming-effects.ts';
import { PostcopyStateCell } from '../../src/destination/incoming-states.ts';
import { GUEST_IDSTR, VCPU_IDSTR } from '../../src/destination/known-devices.ts';
import { decodeGuestDescription } from '../../src/machine/guest-description.ts';
import { type RamBlockSpec, RamImage } from '../../src/machine/ram-block.ts';
import { decodeVcpuState } from '../../src/machine/vcpu-state.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import { encodeReturnPath, type ReturnPathName } from '../../src/protocol/return-path-messages.ts';

/** One answer on the return path. */
export interface Reply {
  readonly name: ReturnPathName;
  readonly values: Readonly<Record<string, unknown>>;
}

export interface RigOptions extends Partial<Omit<IncomingOptions, 'hostPages'>> {
  /** Host page in bytes of blocks that are not named; 4096 unless told. */
  readonly hostPageBytes?: number;
  readonly byName?: ReadonlyMap<string, number>;
  readonly layout?: readonly RamBlockSpec[];
  /** The loader performs nothing until `load` is called. */
  readonly loadsWhenTold?: boolean;
}

/** The core, and all that it did. */
export class IncomingRig {
  readonly replies: Reply[] = [];
  readonly warnings: string[] = [];
  /** What the loader has performed. */
  readonly loaded: LoadItem[] = [];
  readonly cell = new PostcopyStateCell();
  readonly board = FaultBoard.allocate(4);
  readonly migration: IncomingMigration;
  image: RamImage | undefined;
  #queue: LoadItem[] = [];
  #loadsWhenTold: boolean;
  #nowNs = 0;

  constructor(options: RigOptions = {}) {
    const { hostPageBytes = 4096, byName = new Map(), layout, loadsWhenTold = false, ...rest } = options;
    this.#loadsWhenTold = loadsWhenTold;
    this.migration = new IncomingMigration(
      {
        profile: 'strict',
        hostPages: new HostPages({ defaultBytes: hostPageBytes, byName, layout }),
        acceptsUnknownDevices: false,
        negotiate: true,
        preempt: false,
        collapseNs: 0,
        ...rest,
      },
      {
        reply: (name, values) => this.replies.push({ name, values: values as Reply['values'] }),
        createRam: (blocks) => {
          this.image = RamImage.allocate(blocks, 'missing');
          return this.image;
        },
        load: (items) => this.#queue.push(...items),
        warn: (message) => this.warnings.push(message),
        nowNs: () => ++this.#nowNs,
      },
      { cell: this.cell, board: this.board },
    );
  }

  /** Gives the main channel bytes, and lets the loader do its work. */
  push(bytes: Uint8Array): void {
    this.migration.push(bytes, 0, bytes.length);
    if (!this.#loadsWhenTold) this.load();
  }

  /** Performs what the core asked to load, as the guest's host does. */
  load(): void {
    for (const item of this.#queue.splice(0)) {
      this.loaded.push(item);
      if (item.kind === 'device') {
        if (item.device.idstr === GUEST_IDSTR) decodeGuestDescription(item.device.payload);
        if (item.device.idstr === VCPU_IDSTR) decodeVcpuState(item.device.payload);
      } else if (item.kind === 'ping') {
        this.replies.push({ name: 'PONG', values: { value: item.value } });
      } else {
        this.cell.advance(item.event);
        this.migration.onGuestRunning();
      }
    }
  }

  /** The replies as they would stand on the wire. */
  get replyBytes(): Uint8Array {
    return joinBytes(this.replies.map(({ name, values }) => encodeReturnPath(name, values as never)));
  }

  /** The replies by name and first value, such as `PONG 1`. */
  get replyNames(): string[] {
    return this.replies.map(({ name, values }) => `${name} ${String(Object.values(values)[0])}`);
  }
}

/** What `action` throws; undefined if nothing. */
export function thrownBy(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}
