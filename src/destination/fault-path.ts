// The way of a thread through a fault: claims the missing page, asks for it, waits, and logs each hop.
import { MigrationError } from '../errors.ts';
import type { RamBlock, RamImage } from '../machine/ram-block.ts';
import { GuestStopped } from '../machine/vcpu-control.ts';
import { monotonicNs } from '../monotonic-clock.ts';
import type { FaultLog } from '../telemetry/fault-log.ts';
import type { FaultBoard } from './fault-board.ts';
import type { ReturnPathPort } from './return-path-port.ts';

/** Whoever waits for a page looks so often whether it was told to stop. */
const LOOK_MS = 50;

/** What a thread that may fault needs. */
export interface FaultPathOptions {
  /** Its line of the fault board, which no other thread has. */
  readonly line: number;
  readonly image: RamImage;
  readonly board: FaultBoard;
  readonly port: ReturnPathPort;
  readonly log: FaultLog;
  /** Whether it was told to stop: looked at while it waits. */
  readonly isStopped: () => boolean;
}

/** Takes one thread through its faults. */
export class FaultPath {
  readonly #options: FaultPathOptions;

  constructor(options: FaultPathOptions) {
    this.#options = options;
  }

  /** Blocks this thread until the page is present. @throws GuestStopped if it is to stop first; nothing is logged then */
  wait(block: RamBlock, hostPage: number): void {
    const { line, image, board, log, isStopped } = this.#options;
    const blockIndex = image.blocks.findIndex((candidate) => candidate.name === block.name);
    const faultNs = monotonicNs();
    board.begin(line, blockIndex, hostPage, faultNs);
    const requestedNs = this.#requestOnce(block, blockIndex, hostPage);
    while (!block.waitWhileMissing(hostPage, LOOK_MS)) {
      if (!isStopped()) continue;
      board.end(line);
      throw new GuestStopped();
    }
    const resumedNs = monotonicNs();
    const times = board.end(line);
    // A page that was placed just as this thread claimed it came without a note: it was placed in between.
    const placedNs = times.placedNs || resumedNs;
    const firstByteNs = times.firstByteNs || placedNs;
    const lastBytesNs = times.lastBytesNs || placedNs;
    log.append({
      blockIndex,
      hostPage,
      pageBytes: block.hostPageBytes,
      faultNs,
      requestedNs,
      firstByteNs,
      lastBytesNs,
      placedNs,
      resumedNs,
    });
  }

  /** Asks for the page if nobody has, and reports when; 0 if somebody had, or if it came before it was asked for. */
  #requestOnce(block: RamBlock, blockIndex: number, hostPage: number): number {
    if (!block.claim(hostPage)) return 0;
    try {
      const start = hostPage * block.hostPageBytes;
      const isAsked = this.#options.port.request(blockIndex, block.name, start, block.hostPageBytes);
      if (!isAsked) return 0;
    } catch (error) {
      // The channel's thread finds the break too, and stops the guest; until then this thread just waits.
      if (!(error instanceof MigrationError)) throw error;
    }
    return monotonicNs();
  }
}
