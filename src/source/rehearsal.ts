// Sends small migrations to nobody, so that the compiler has done its work before the first page of the real one.
import { RamImage } from '../machine/ram-block.ts';
import { monotonicNs } from '../monotonic-clock.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import { OutgoingMigration } from './outgoing.ts';

const BLOCK = {
  name: 'rehearsal',
  lengthBytes: 8 * 2 ** 20,
  hostPageBytes: TARGET_PAGE_BYTES,
  kind: 'system',
} as const;
/** About as long as V8 takes to notice and to optimise all that runs once per page. */
const REHEARSAL_MS = 100;
/** Less RAM than this is sent before a rehearsal would be over. */
const WORTH_IT_BYTES = 128 * 2 ** 20;

/** Sends for a while, unless the migration of `ramBytes` to come is too small to gain by it. */
export function rehearseOutgoing(ramBytes: number): void {
  if (ramBytes < WORTH_IT_BYTES) return;
  const ram = RamImage.allocate([BLOCK], 'present');
  const [block] = ram.blocks;
  for (let page = 0; page < block!.targetPageCount; page += 1) {
    block!.words(0)[(page * TARGET_PAGE_BYTES) / 4] = 1; // zero pages would go another way
  }
  const deadlineMs = performance.now() + REHEARSAL_MS;
  while (performance.now() < deadlineMs) {
    const migration = new OutgoingMigration(ram, {
      machine: 'none',
      postcopyRam: true,
      negotiate: false,
      postcopyAfter: { kind: 'immediately' },
      downtimeLimitNs: 0,
      guest: { mmu: 'radix', guestPageBytes: TARGET_PAGE_BYTES },
      preempt: 'none',
      breaksHugePages: true,
      flight: 'unbounded',
    });
    const steps = migration.run();
    for (let step = steps.next(monotonicNs()); step.done !== true; step = steps.next(monotonicNs())) {
      if (step.value.do === 'await-return-path') break; // SHUT, which nobody will send
      if (step.value.do === 'stop-guest') migration.devices = [];
    }
  }
}
