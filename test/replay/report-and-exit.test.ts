// A destination whose thread reports and ends while the main thread is busy still gets its result.
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Destination } from '../../src/destination/run-destination.ts';
import { repositoryUrl } from '../fixtures.ts';

/** Far longer than the thread needs to refuse a stream of 106 bytes, so that its report and its end arrive together. */
const BUSY_MS = 1000;
const idle = new Int32Array(new SharedArrayBuffer(4));

t.test('a report that comes in the same turn as the end of its thread', async (t) => {
  const capture = repositoryUrl('test/fixtures/captures/e2-mismatch-2m-to-4k.c0.fwd.bin.gz');
  const destination = new Destination(
    {
      origin: { kind: 'replay', mainPath: fileURLToPath(capture), preemptPath: undefined },
      profile: 'strict',
      machine: undefined,
      hostPageBytes: 4096,
      hostPageByName: new Map(),
      placementBytes: undefined,
      collapseNs: 0,
      layout: undefined,
      acceptsUnknownDevices: true,
      negotiate: true,
      preempt: false,
      vcpuCount: 0,
      preallocates: false,
      ramImagePath: undefined,
      touch: undefined,
      timeoutMs: 1000,
      recordPath: undefined,
      floor: undefined,
      keepsFaults: false,
      verify: true,
    },
    {
      // Not at once: then the thread's messages would be read on from here, each in a turn before the end.
      onConnected: () => setImmediate(() => Atomics.wait(idle, 0, 0, BUSY_MS)),
    },
  );
  const { result } = await destination.run();
  t.equal(result.error?.code, 'page-sizes-differ');
});
