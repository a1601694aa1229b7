// Thread of the toucher: goes through the host pages of all RAM once, and waits for each that is missing.
import { parentPort, workerData } from 'node:worker_threads';
import { toErrorRecord } from '../errors.ts';
import { PAGE_STATE } from '../machine/page-state.ts';
import { type RamBlock, RamImage } from '../machine/ram-block.ts';
import { GuestStopped, VCPU_COMMAND, VcpuControl } from '../machine/vcpu-control.ts';
import { FaultLog, faultRing } from '../telemetry/fault-log.ts';
import { FaultBoard } from './fault-board.ts';
import { FaultPath } from './fault-path.ts';
import { ReturnPathPort } from './return-path-port.ts';
import { touchIndices } from './touch-order.ts';
import type { ToTouchThread, TouchThreadData } from './toucher.ts';
import type { FromVcpuThread } from './vcpu-messages.ts';

const INDEX = 0;

const { touch, line, ...shared } = workerData as TouchThreadData;

function post(message: FromVcpuThread, transfer: ArrayBuffer[] = []): void {
  parentPort!.postMessage(message, transfer);
}

const control = new VcpuControl(shared.control);
const log = new FaultLog(INDEX, undefined, shared.ring && faultRing(shared.ring));
const isStopped = (): boolean => control.command() !== VCPU_COMMAND.RUN;

/** Goes through all pages; blocks follow each other in the order of the RAM list. @throws GuestStopped */
function touchAll(image: RamImage): void {
  const faultPath = new FaultPath({
    line,
    image,
    board: new FaultBoard(shared.board),
    port: new ReturnPathPort(shared.port, (bytes) => post({ kind: 'reply', bytes })),
    log,
    isStopped,
  });
  const count = image.blocks.reduce((sum, block) => sum + block.hostPageCount, 0);
  for (const at of touchIndices(touch, count)) {
    if (isStopped()) return;
    const { block, hostPage } = locate(image, at);
    if (block.pageState(hostPage) === PAGE_STATE.PRESENT) continue;
    control.advance(INDEX, 'fault');
    faultPath.wait(block, hostPage);
    control.advance(INDEX, 'resolve');
  }
}

function locate(image: RamImage, index: number): { block: RamBlock; hostPage: number } {
  let hostPage = index;
  const block = image.blocks.find((candidate) => {
    if (hostPage < candidate.hostPageCount) return true;
    hostPage -= candidate.hostPageCount;
    return false;
  });
  return { block: block!, hostPage };
}

function live(ram: ToTouchThread): void {
  try {
    if (ram !== undefined && control.waitForOther(VCPU_COMMAND.STOP) === VCPU_COMMAND.RUN) {
      control.enterRun(INDEX);
      try {
        touchAll(new RamImage(ram));
      } catch (error) {
        if (!(error instanceof GuestStopped)) throw error;
      }
      control.park(INDEX);
    }
    control.leave(INDEX);
  } catch (error) {
    control.fail(INDEX, error);
    post({ kind: 'error', error: toErrorRecord(error) });
  } finally {
    const handed = log.handOver();
    post({ kind: 'faults', log: handed }, [handed.columns.buffer]);
  }
}

parentPort!.once('message', live);
control.park(INDEX);
