// Thread of a vCPU at a destination, for tests: it claims its page, asks for it, and waits.

import { workerData } from 'node:worker_threads';
import { GuestMemory } from '../../src/machine/guest-memory.ts';
import { RamImage } from '../../src/machine/ram-block.ts';
import { runVcpu } from '../../src/machine/vcpu.ts';
import { GuestStopped, VCPU_COMMAND, VcpuControl } from '../../src/machine/vcpu-control.ts';
import type { VcpuThreadData } from '../../src/machine/vcpu-threads.ts';

const data = workerData as VcpuThreadData & { readonly lookEveryMs: number };
const control = new VcpuControl(data.control);
const image = new RamImage(data.ram);
const requests = new BroadcastChannel('page-requests');

const memory = new GuestMemory({
  image,
  tracksDirty: false,
  onFault: (block, hostPage) => {
    if (block.claim(hostPage)) requests.postMessage({ block: block.name, hostPage });
    while (!block.waitWhileMissing(hostPage, data.lookEveryMs)) {
      if (control.command() !== VCPU_COMMAND.RUN) throw new GuestStopped();
    }
  },
});
runVcpu({ index: data.index, memory, control, trace: data.trace });
requests.close();
