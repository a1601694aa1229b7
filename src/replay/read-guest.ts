// Reads a whole guest out of a recorded migration: its RAM, as a destination would have it, and its machine.
import { FaultBoard } from '../destination/fault-board.ts';
import { HostPages } from '../destination/host-pages.ts';
import { IncomingMigration } from '../destination/incoming.ts';
import type { LoadItem } from '../destination/incoming-effects.ts';
import { PostcopyStateCell } from '../destination/incoming-states.ts';
import { GUEST_IDSTR } from '../destination/known-devices.ts';
import { StateError, TransportError } from '../errors.ts';
import { decodeGuestDescription, type GuestDescription } from '../machine/guest-description.ts';
import { RamImage } from '../machine/ram-block.ts';
import { monotonicNs } from '../monotonic-clock.ts';
import type { Profile } from '../protocol/profile.ts';
import { encodeHeader } from '../protocol/sections.ts';
import type { RecordedPiece } from '../recording/recorded-piece.ts';
import { MachineCollector, type RecordedMachine } from './recorded-machine.ts';

/** How to read. */
export interface ReadOptions {
  readonly profile: Profile;
  /** Whether the recording has a preempt channel: its connection 1. */
  readonly hasPreempt: boolean;
  onWarning?(message: string): void;
}

/** A guest that stands still, and its machine. */
export interface RecordedState {
  readonly machine: RecordedMachine;
  /** All present, with the host pages that the stream told; 4 KiB where it told none. */
  readonly ram: RamImage;
  /** What a guest of ours tells about itself; undefined for any other. */
  readonly description: GuestDescription | undefined;
}

/** Nobody waits here. */
const NO_VCPUS = 0;

/** A destination without a guest that runs: it takes the stream, and keeps what came. */
class GuestReader {
  readonly #options: ReadOptions;
  readonly #cell = new PostcopyStateCell();
  readonly #migration: IncomingMigration;
  readonly #collector: MachineCollector;
  /** Bytes of the preempt channel that passed before LISTEN did. */
  readonly #heldPreempt: Uint8Array[] = [];
  readonly #heads = new Map<number, Uint8Array>();
  #ram: RamImage | undefined;
  #isRunDue = false;
  #mainBytes = 0;

  constructor(options: ReadOptions) {
    this.#options = options;
    this.#collector = new MachineCollector(options.profile);
    this.#migration = new IncomingMigration(
      {
        profile: options.profile,
        hostPages: HostPages.asAnnounced(),
        acceptsUnknownDevices: true,
        negotiate: true,
        preempt: options.hasPreempt,
        collapseNs: 0,
      },
      {
        reply: () => undefined,
        createRam: (blocks) => {
          this.#ram = RamImage.allocate(blocks, 'missing');
          return this.#ram;
        },
        load: (items) => this.#load(items),
        warn: (message) => options.onWarning?.(message),
        nowNs: monotonicNs,
        record: (record, offset, lengthBytes) => this.#collector.take(record, offset, lengthBytes),
      },
      { cell: this.#cell, board: FaultBoard.allocate(NO_VCPUS) },
    );
  }

  /** Takes a piece. @throws MigrationError */
  take({ conn, dir, bytes, gap }: RecordedPiece): void {
    if (dir !== 'fwd') return;
    if (gap !== undefined) throw gap;
    if (conn === 0) {
      this.#mainBytes += bytes.length;
      this.#migration.push(bytes, 0, bytes.length);
    } else {
      this.#checkPreempt(conn, bytes);
      this.#heldPreempt.push(bytes.slice());
    }
    this.#goOn();
  }

  /** All has come. @throws MigrationError for what is missing */
  finish(): RecordedState {
    this.#migration.end();
    if (this.#options.hasPreempt) this.#migration.endPreempt();
    const ram = this.#ram;
    if (ram === undefined) throw new StateError('no-ram-list', 'expected a RAM list, found none');
    // Whatever the profile lets through: a guest with a hole cannot go on.
    this.#migration.tally!.checkComplete();
    const machine = this.#collector.machine(this.#mainBytes);
    const described = machine.devices.find((device) => device.idstr === GUEST_IDSTR);
    return {
      machine,
      ram,
      description: described && decodeGuestDescription(described.payload),
    };
  }

  #load(items: readonly LoadItem[]): void {
    for (const item of items) {
      if (item.kind !== 'run') continue;
      this.#cell.advance(item.event);
      this.#isRunDue = true;
    }
  }

  #goOn(): void {
    if (this.#isRunDue) {
      this.#isRunDue = false;
      this.#migration.onGuestRunning();
    }
    if (this.#migration.tally?.isPostcopy !== true) return;
    for (const bytes of this.#heldPreempt.splice(0)) this.#migration.pushPreempt(bytes, 0, bytes.length);
  }

  /** A second connection is the preempt channel; one that begins as a migration, or a third, is another attempt. */
  #checkPreempt(conn: number, bytes: Uint8Array): void {
    const magic = encodeHeader();
    const head = Buffer.concat([this.#heads.get(conn) ?? new Uint8Array(0), bytes]).subarray(0, magic.length);
    this.#heads.set(conn, head);
    if (conn === 1 && this.#options.hasPreempt && !head.equals(magic)) return;
    throw new TransportError(
      'several-migrations',
      `expected one migration in the recording, with a preempt channel at most, found more in connection ${conn}`,
    );
  }
}

/**
 * The guest of a recorded migration. It is good only if the whole of it passed: every page, the device state, and the
 * end of the stream. @throws MigrationError that names what is missing or broken, and where
 */
export async function readGuest(
  pieces: AsyncIterable<RecordedPiece>,
  options: ReadOptions,
): Promise<RecordedState> {
  const reader = new GuestReader(options);
  for await (const piece of pieces) reader.take(piece);
  return reader.finish();
}
