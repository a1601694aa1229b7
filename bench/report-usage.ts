// Preloaded into a measured process: tells its peak memory and CPU time on descriptor 3 when it ends.
import { writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import type { ProcessUsage } from './measured-process.ts';

if (isMainThread) {
  process.once('exit', () => {
    const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
    const usage: ProcessUsage = {
      peakRssBytes: maxRSS * 1024,
      cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
    };
    writeSync(3, JSON.stringify(usage));
  });
}
