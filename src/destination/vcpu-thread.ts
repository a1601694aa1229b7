// Thread of a vCPU at the destination: a page that is missing is asked for, and awaited.
import { parentPort, workerData } from 'node:worker_threads';
import { MigrationError, toErrorRecord } from '../errors.ts';
import { GuestMemory } from '../machine/guest-memory.ts';
import { type RamBlock, RamImage } from '../machine/ram-block.ts';
import { runVcpu } from '../machine/vcpu.ts';
import { GuestStopped, VCPU_COMMAND, VcpuControl } from '../machine/vcpu-control.ts';
import type { VcpuThreadData } from '../machine/vcpu-threads.ts';
import { monotonicNs } from '../monotonic-clock.ts';
import { FaultLog } from '../telemetry/fault-log.ts';
import { FaultBoard, type SharedFaultBoard } from './fault-board.ts';
import { ReturnPathPort } from './return-path-port.ts';
import type { FromVcpuThread } from './vcpu-messages.ts';

/** What this entry is given besides. */
interface Extra {
  readonly board: SharedFaultBoard;
  readonly port: SharedArrayBuffer;
}

/** A vCPU that waits looks so often whether it was told to stop. */
const LOOK_MS = 50;

const {
  index,
  ram,
  control: sharedControl,
  trace,
  board: sharedBoard,
  port: sharedPort,
} = workerData as VcpuThreadData & Extra;

function post(message: FromVcpuThread, transfer: ArrayBuffer[] = []): void {
  parentPort!.postMessage(message, transfer);
}

const image = new RamImage(ram);
const control = new VcpuControl(sharedControl);
const board = new FaultBoard(sharedBoard);
const port = new ReturnPathPort(sharedPort, (bytes) => post({ kind: 'reply', bytes }));
const log = new FaultLog(index);

/** Asks for the page if nobody has, and reports when; 0 if somebody had. */
function requestOnce(block: RamBlock, blockIndex: number, hostPage: number): number {
  if (!block.claim(hostPage)) return 0;
  try {
    port.request(blockIndex, block.name, hostPage * block.hostPageBytes, block.hostPageBytes);
  } catch (error) {
    // The channel's thread finds the break too, and stops the guest; until then this vCPU just waits.
    if (!(error instanceof MigrationError)) throw error;
  }
  return monotonicNs();
}

function onFault(block: RamBlock, hostPage: number): void {
  const blockIndex = image.blocks.findIndex((candidate) => candidate.name === block.name);
  const faultNs = monotonicNs();
  board.begin(index, blockIndex, hostPage);
  const requestedNs = requestOnce(block, blockIndex, hostPage);
  while (!block.waitWhileMissing(hostPage, LOOK_MS)) {
    if (control.command() === VCPU_COMMAND.RUN) continue;
    board.end(index);
    throw new GuestStopped();
  }
  const resumedNs = monotonicNs();
  const times = board.end(index);
  // A page that was placed just as this vCPU claimed it came without a note: it was placed in between.
  const placedNs = times.placedNs || resumedNs;
  const firstByteNs = times.firstByteNs || placedNs;
  log.append({
    blockIndex,
    hostPage,
    pageBytes: block.hostPageBytes,
    faultNs,
    requestedNs,
    firstByteNs,
    placedNs,
    resumedNs,
  });
}

try {
  const memory = new GuestMemory({ image, tracksDirty: false, onFault });
  runVcpu({ index, memory, control, trace });
} catch (error) {
  post({ kind: 'error', error: toErrorRecord(error) });
} finally {
  const handed = log.handOver();
  post({ kind: 'faults', log: handed }, [handed.columns.buffer]);
}
