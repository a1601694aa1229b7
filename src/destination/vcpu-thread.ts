// Thread of a vCPU at the destination: a page that is missing is asked for, and awaited.
import { parentPort, workerData } from 'node:worker_threads';
import { toErrorRecord } from '../errors.ts';
import { GuestMemory } from '../machine/guest-memory.ts';
import { RamImage } from '../machine/ram-block.ts';
import { runVcpu } from '../machine/vcpu.ts';
import { VCPU_COMMAND, VcpuControl } from '../machine/vcpu-control.ts';
import type { VcpuThreadData } from '../machine/vcpu-threads.ts';
import { FaultLog } from '../telemetry/fault-log.ts';
import { FaultBoard } from './fault-board.ts';
import { FaultPath } from './fault-path.ts';
import { ReturnPathPort } from './return-path-port.ts';
import type { FaultingThreadData, FromVcpuThread } from './vcpu-messages.ts';

const { index, trace, ...shared } = workerData as VcpuThreadData & FaultingThreadData;

function post(message: FromVcpuThread, transfer: ArrayBuffer[] = []): void {
  parentPort!.postMessage(message, transfer);
}

const image = new RamImage(shared.ram);
const control = new VcpuControl(shared.control);
const log = new FaultLog(index);
const faultPath = new FaultPath({
  line: index,
  image,
  board: new FaultBoard(shared.board),
  port: new ReturnPathPort(shared.port, (bytes) => post({ kind: 'reply', bytes })),
  log,
  isStopped: () => control.command() !== VCPU_COMMAND.RUN,
});

try {
  const memory = new GuestMemory({
    image,
    tracksDirty: false,
    onFault: (block, hostPage) => faultPath.wait(block, hostPage),
  });
  runVcpu({ index, memory, control, trace });
} catch (error) {
  post({ kind: 'error', error: toErrorRecord(error) });
} finally {
  const handed = log.handOver();
  post({ kind: 'faults', log: handed }, [handed.columns.buffer]);
}
