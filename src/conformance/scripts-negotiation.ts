// Scenarios of host page negotiation: what the destination answers to the PING "HPS1" of a source that knows it.
import { joinBytes } from '../protocol/message.ts';
import { REASON_LIMIT_BYTES } from '../protocol/negotiation-messages.ts';
import { encodeReturnPath, RETURN_PATH_MESSAGES } from '../protocol/return-path-messages.ts';
import type { DestinationScript, HostPageWords } from './destination-script.ts';
import type { RequestPlan } from './request-plan.ts';
import type { Scenario } from './scenario.ts';
import { UNKNOWN_BLOCK } from './scripts-bad.ts';
import { sourceScenario } from './source-scenario.ts';
import type { LayoutBlock, Subject } from './subject.ts';

/** Larger than any 4 KiB source has, small enough that many are left for postcopy. */
export const LARGER_PAGE_BYTES = 64 * 1024;
const TARGET_PAGE_BYTES = 4096;
const DEFAULT: HostPageWords = { block: '', hostPage: TARGET_PAGE_BYTES, placementPage: TARGET_PAGE_BYTES };
const ASKS: RequestPlan = {
  order: 'random',
  outstanding: 1,
  from: 'run',
  times: 1,
  againWhenHeld: false,
  limit: 16,
};

/** The largest block, which is the one that is told other pages. */
export function namedBlock({ blocks }: Subject): LayoutBlock {
  return blocks.reduce((most, next) => (next.lengthBytes > most.lengthBytes ? next : most));
}

function named(subject: Subject, hostPage: number, placementPage: number): HostPageWords {
  return { block: namedBlock(subject).name, hostPage, placementPage };
}

function negotiates(
  name: string,
  hostPages: (subject: Subject) => readonly HostPageWords[],
  more: Partial<DestinationScript> = {},
): Scenario {
  return sourceScenario({ name, start: 'postcopy', hostPages, ...more });
}

const defaults = (): readonly HostPageWords[] => [DEFAULT];

/** Negotiated, and carried to the end. */
export const SAME_PAGES = negotiates('a destination with 4 KiB pages, first PONG late', defaults, {
  holdsFirstPong: true,
});
export const LARGER_PAGES = negotiates(
  'a destination with 64 KiB pages behind the largest block',
  (subject) => [DEFAULT, named(subject, LARGER_PAGE_BYTES, LARGER_PAGE_BYTES)],
  { asks: ASKS },
);
export const SMALLER_PLACEMENT = negotiates(
  'a destination with 64 KiB pages that it places in pieces of 4 KiB',
  (subject) => [DEFAULT, named(subject, LARGER_PAGE_BYTES, TARGET_PAGE_BYTES)],
  { asks: ASKS },
);
export const UNKNOWN_NAME = negotiates('HOST_PAGE for a block that the source does not have', () => [
  DEFAULT,
  { ...DEFAULT, block: 'nosuch-block' },
]);

/** Answers that must be refused. */
export const NO_POWER_OF_TWO = negotiates('a placement page of 12 KiB', (subject) => [
  DEFAULT,
  named(subject, LARGER_PAGE_BYTES, 3 * TARGET_PAGE_BYTES),
]);
export const BELOW_TARGET_PAGE = negotiates('a placement page of 2 KiB', (subject) => [
  DEFAULT,
  named(subject, TARGET_PAGE_BYTES, TARGET_PAGE_BYTES / 2),
]);
export const ABOVE_HOST_PAGE = negotiates('a placement page above the host page', (subject) => [
  DEFAULT,
  named(subject, TARGET_PAGE_BYTES, LARGER_PAGE_BYTES),
]);
/** The smallest power of two that does not divide the length. */
export const NO_DIVISOR = negotiates('a placement page that does not divide the block', (subject) => {
  let page = TARGET_PAGE_BYTES;
  while (namedBlock(subject).lengthBytes % page === 0) page *= 2;
  return [DEFAULT, named(subject, page, page)];
});
export const DEFAULT_NOT_FIRST = negotiates('the default behind a name', (subject) => [
  named(subject, TARGET_PAGE_BYTES, TARGET_PAGE_BYTES),
  DEFAULT,
]);
export const NAMED_TWICE = negotiates('a name twice', (subject) => [
  DEFAULT,
  named(subject, TARGET_PAGE_BYTES, TARGET_PAGE_BYTES),
  named(subject, TARGET_PAGE_BYTES, TARGET_PAGE_BYTES),
]);
export const HASH_GUEST = sourceScenario({
  name: 'a destination with 4 KiB pages, hash guest',
  start: 'hash',
  hostPages: defaults,
});
/** N7, each clause. */
export const REFUSALS = [NO_POWER_OF_TWO, BELOW_TARGET_PAGE, ABOVE_HOST_PAGE, NO_DIVISOR] as const;

/** A destination without the extension answers as to any PING; then it breaks a rule. */
export const LEGACY_BAD = UNKNOWN_BLOCK;

export const HOST_PAGE_LATE = negotiates('HOST_PAGE after the PONG', defaults, {
  says: { at: 'precopy', bytes: () => encodeReturnPath('HOST_PAGE', DEFAULT), goesOn: false },
});
export const HOST_PAGE_LONG = sourceScenario({
  name: 'HOST_PAGE with a byte behind the name',
  start: 'postcopy',
  says: { at: 'negotiation', bytes: () => longHostPage(), goesOn: false },
});

function longHostPage(): Uint8Array {
  const message = encodeReturnPath('HOST_PAGE', DEFAULT);
  const lengthBytes = message.length - 4 + 1;
  return joinBytes([
    message.subarray(0, 2),
    Uint8Array.of(0, lengthBytes),
    message.subarray(4),
    Uint8Array.of(0),
  ]);
}

function reason(bytes: Uint8Array): Uint8Array {
  const { code } = RETURN_PATH_MESSAGES.REASON;
  return joinBytes([Uint8Array.of(code >> 8, code & 0xff, bytes.length >> 8, bytes.length & 0xff), bytes]);
}

const REASON_TEXT = new TextEncoder().encode('the scripted destination leaves');

/** The destination leaves and says why: before it ran the guest, and after. */
export const REASON_BEFORE_RUN = negotiates('REASON in the place of the PONG of the package', defaults, {
  says: { at: 'package-ping', bytes: () => reason(REASON_TEXT), goesOn: false, thenCloses: true },
});
export const REASON_AFTER_RUN = negotiates('REASON in postcopy', defaults, {
  says: { at: 'after-pages', bytes: () => reason(REASON_TEXT), goesOn: false, thenCloses: true },
});
export const REASON_TOO_LONG = negotiates('REASON of 501 bytes', defaults, {
  says: {
    at: 'precopy',
    bytes: () => reason(new Uint8Array(REASON_LIMIT_BYTES + 1).fill(0x61)),
    goesOn: false,
  },
});
export const REASON_NO_UTF8 = negotiates('REASON that is not UTF-8', defaults, {
  says: { at: 'precopy', bytes: () => reason(Uint8Array.of(0x61, 0xff, 0x62)), goesOn: false },
});
/** After the negotiation, a request that makes the return path bad: the source says why it leaves. */
export const BAD_WHEN_NEGOTIATED = negotiates(
  'request for a block that does not exist, negotiated',
  defaults,
  {
    says: {
      at: 'running',
      bytes: () => encodeReturnPath('REQ_PAGES_ID', { start: 0, length: TARGET_PAGE_BYTES, block: 'nosuch' }),
      goesOn: false,
    },
  },
);
