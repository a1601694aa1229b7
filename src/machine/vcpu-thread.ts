// Thread of a vCPU whose RAM is all present: a guest at the source.

import { parentPort, workerData } from 'node:worker_threads';
import { GuestError, toErrorRecord } from '../errors.ts';
import { GuestMemory } from './guest-memory.ts';
import { RamImage } from './ram-block.ts';
import { runVcpu } from './vcpu.ts';
import { VcpuControl } from './vcpu-control.ts';
import type { VcpuFailure, VcpuThreadData } from './vcpu-threads.ts';

const { index, ram, control, trace } = workerData as VcpuThreadData;

try {
  const memory = new GuestMemory({
    image: new RamImage(ram),
    tracksDirty: true,
    onFault: (block, hostPage) => {
      const message = `vCPU ${index} found host page ${hostPage} of RAM block '${block.name}' missing at the source`;
      throw new GuestError('source-page-missing', message);
    },
  });
  runVcpu({ index, memory, control: new VcpuControl(control), trace });
} catch (error) {
  const failure: VcpuFailure = { kind: 'error', error: toErrorRecord(error) };
  parentPort?.postMessage(failure);
}
