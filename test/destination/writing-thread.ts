// Thread of a test: asks for pages over and over through the port that it shares.
import { workerData } from 'node:worker_threads';
import { ReturnPathPort } from '../../src/destination/return-path-port.ts';

const { shared, blockIndex, count } = workerData as {
  shared: SharedArrayBuffer;
  blockIndex: number;
  count: number;
};
const port = new ReturnPathPort(shared, () => {
  throw new Error('there is a descriptor to write to');
});
for (let index = 0; index < count; index += 1)
  port.request(blockIndex, `block-${blockIndex}`, index * 4096, 4096);
