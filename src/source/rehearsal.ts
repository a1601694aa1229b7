// Sends small migrations to nobody, so that the compiler has done its work before the first page of the real one.
import { RamImage } from '../machine/ram-block.ts';
import { monotonicNs } from '../monotonic-clock.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import { encodeReturnPath } from '../protocol/return-path-messages.ts';
import { FIRST_FLIGHT_PING } from './flight-window.ts';
import { OutgoingMigration } from './outgoing.ts';
import { PageClaims } from './page-claims.ts';
import { ANSWERED, RequestAnswers } from './request-answers.ts';

const BLOCK = {
  name: 'rehearsal',
  lengthBytes: 8 * 2 ** 20,
  hostPageBytes: TARGET_PAGE_BYTES,
  kind: 'system',
} as const;
/** About as long as V8 takes to notice and to optimise all that runs once per page. */
const REHEARSAL_MS = 100;
/** A destination asks for the last page of all, again and again, so often. */
const BATCHES_PER_REQUEST = 4;
const REQUEST = {
  name: 'REQ_PAGES_ID',
  block: BLOCK.name,
  start: BLOCK.lengthBytes - TARGET_PAGE_BYTES,
  length: TARGET_PAGE_BYTES,
} as const;
/** Less RAM than this is sent before a rehearsal would be over. */
const WORTH_IT_BYTES = 128 * 2 ** 20;

/** Whether a migration of so much RAM gains by a rehearsal. */
export function isWorthRehearsing(ramBytes: number): boolean {
  return ramBytes >= WORTH_IT_BYTES;
}

/** Sends for a while, unless the migration of `ramBytes` to come is too small to gain by it. */
export function rehearseOutgoing(ramBytes: number): void {
  if (!isWorthRehearsing(ramBytes)) return;
  const ram = rehearsalRam();
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
      flight: 'auto',
    });
    const steps = migration.run();
    let ping = FIRST_FLIGHT_PING;
    let batches = 0;
    for (let step = steps.next(monotonicNs()); step.done !== true; step = steps.next(monotonicNs())) {
      if (step.value.do === 'stop-guest') migration.devices = [];
      if (step.value.do === 'send' && step.value.class === 'background') {
        batches += 1;
        if (batches % BATCHES_PER_REQUEST === 0) migration.onReturnPath(REQUEST, monotonicNs());
      }
      if (step.value.do !== 'await-return-path') continue;
      if (step.value.what === 'SHUT') break; // which nobody will send
      for (const { isHere } = step.value; !isHere(); ping += 1) {
        migration.onReturnPath({ name: 'PONG', value: ping }, monotonicNs());
      }
    }
  }
}

/** Answers requests that nobody has made: for the thread that does so. */
export function rehearseAnswers(): void {
  const ram = rehearsalRam();
  const [block] = ram.blocks;
  const placed = { ram: block!, placementPageBytes: TARGET_PAGE_BYTES };
  const requests = Array.from({ length: block!.targetPageCount }, (_, page) => {
    const values = { start: page * TARGET_PAGE_BYTES, length: TARGET_PAGE_BYTES };
    return page === 0
      ? encodeReturnPath('REQ_PAGES_ID', { ...values, block: BLOCK.name })
      : encodeReturnPath('REQ_PAGES', values);
  });
  const writer = { canWrite: () => true, write: () => undefined };
  const deadlineMs = performance.now() + REHEARSAL_MS;
  while (performance.now() < deadlineMs) {
    block!.dirty.setRange(0, block!.targetPageCount);
    const answers = new RequestAnswers(
      { profile: 'strict', negotiates: false },
      writer,
      new Float64Array(ANSWERED.COUNT),
    );
    answers.begin(ram, [TARGET_PAGE_BYTES], PageClaims.allocate([placed]).shared);
    for (const request of requests) answers.push(request);
  }
}

/** Without zero pages, which would go another way. */
function rehearsalRam(): RamImage {
  const ram = RamImage.allocate([BLOCK], 'present');
  const [block] = ram.blocks;
  for (let page = 0; page < block!.targetPageCount; page += 1) {
    block!.words(0)[(page * TARGET_PAGE_BYTES) / 4] = 1;
  }
  return ram;
}
