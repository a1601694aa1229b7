// Thread of a vCPU at the destination: a page that is missing is asked for, and awaited.
import { parentPort, workerData } from 'node:worker_threads';
import { toErrorRecord } from '../errors.ts';
import { GuestMemory } from '../machine/guest-memory.ts';
import type { GuestTrace } from '../machine/guest-programs.ts';
import { RamImage } from '../machine/ram-block.ts';
import { runVcpu } from '../machine/vcpu.ts';
import { VCPU_COMMAND, VcpuControl } from '../machine/vcpu-control.ts';
import { FaultLog, faultRing } from '../telemetry/fault-log.ts';
import { FaultBoard } from './fault-board.ts';
import { FaultPath } from './fault-path.ts';
import { ReturnPathPort } from './return-path-port.ts';
import type { FromVcpuThread, ToVcpuThread, VcpuThreadStart } from './vcpu-messages.ts';

const { index, ...shared } = workerData as VcpuThreadStart;

function post(message: FromVcpuThread, transfer: ArrayBuffer[] = []): void {
  parentPort!.postMessage(message, transfer);
}

const control = new VcpuControl(shared.control);
const log = new FaultLog(index, undefined, shared.ring && faultRing(shared.ring));

function run(image: RamImage, trace: GuestTrace | undefined): void {
  const faultPath = new FaultPath({
    line: index,
    image,
    board: new FaultBoard(shared.board),
    port: new ReturnPathPort(shared.port, (bytes) => post({ kind: 'reply', bytes })),
    log,
    isStopped: () => control.command() !== VCPU_COMMAND.RUN,
  });
  const memory = new GuestMemory({
    image,
    tracksDirty: false,
    onFault: (block, hostPage) => faultPath.wait(block, hostPage),
  });
  runVcpu({ index, memory, control, trace });
}

parentPort!.once('message', (guest: ToVcpuThread) => {
  try {
    if (guest !== undefined) run(new RamImage(guest.ram), guest.trace);
  } catch (error) {
    post({ kind: 'error', error: toErrorRecord(error) });
  } finally {
    const handed = log.handOver();
    post({ kind: 'faults', log: handed }, [handed.columns.buffer]);
  }
});
