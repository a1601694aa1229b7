// Scenarios in which the destination breaks a rule, or leaves: the source has to leave too, and keep the guest stopped.
import { joinBytes } from '../protocol/message.ts';
import { encodeReceivedBitmap } from '../protocol/received-bitmap.ts';
import { encodeReturnPath, RETURN_PATH_MESSAGES } from '../protocol/return-path-messages.ts';
import type { Known, Moment, Words } from './destination-script.ts';
import type { Scenario } from './scenario.ts';
import { sourceScenario } from './source-scenario.ts';

const PAGE_BYTES = 4096;
const NOWHERE = 'nosuch-block';
/** No release knows it. */
const UNKNOWN_TYPE = 9;
const RETURN_PATH_LIMIT_BYTES = 512;

function bad(what: string, bytes: Words['bytes'], at: Moment = 'running'): Scenario {
  return sourceScenario({ name: what, start: 'postcopy', says: { at, bytes, goesOn: false } });
}

/** The block with the most pages: there is enough of it left to be asked for. */
function largest({ ram }: Known): { readonly block: string; readonly lengthBytes: number } {
  const blocks = [...ram.blocks].map(([block, { pages }]) => ({ block, lengthBytes: pages.lengthBytes }));
  return blocks.reduce((most, next) => (next.lengthBytes > most.lengthBytes ? next : most));
}

/** Any message: u16 type, u16 length, data, each as told, right or wrong. */
function raw(type: number, length: number, data: Uint8Array = new Uint8Array(length)): Uint8Array {
  return joinBytes([Uint8Array.of(type >> 8, type & 0xff, length >> 8, length & 0xff), data]);
}

function request(known: Known, start: number, length: number): Uint8Array {
  return encodeReturnPath('REQ_PAGES_ID', { start, length, block: largest(known).block });
}

/** REQ_PAGES_ID whose name is followed by `surplusBytes` more, or is cut by as many. */
function requestOfLength(known: Known, surplusBytes: number): Uint8Array {
  const whole = request(known, 0, PAGE_BYTES).subarray(4);
  const data = new Uint8Array(whole.length + surplusBytes);
  data.set(whole.subarray(0, data.length));
  return raw(RETURN_PATH_MESSAGES.REQ_PAGES_ID.code, data.length, data);
}

export const UNALIGNED_START = bad('request with an unaligned start', (known) =>
  request(known, 0x123, PAGE_BYTES),
);
export const UNALIGNED_LENGTH = bad('request with an unaligned length', (known) => request(known, 0, 0x123));
export const UNNAMED = bad('REQ_PAGES before any REQ_PAGES_ID', () =>
  encodeReturnPath('REQ_PAGES', { start: 0, length: PAGE_BYTES }),
);
export const UNKNOWN_BLOCK = bad('request for a block that does not exist', () =>
  encodeReturnPath('REQ_PAGES_ID', { start: 0, length: PAGE_BYTES, block: NOWHERE }),
);
export const OVERRUN = bad('request behind the end of its block', (known) =>
  request(known, largest(known).lengthBytes, PAGE_BYTES),
);
export const NAME_TOO_LONG = bad('REQ_PAGES_ID with a byte behind the name', (known) =>
  requestOfLength(known, 1),
);
export const NAME_TOO_SHORT = bad('REQ_PAGES_ID with a cut name', (known) => requestOfLength(known, -1));
export const TYPE_ZERO = bad('message of type 0', () => raw(0, 0));
export const TYPE_UNKNOWN = bad(`message of type ${UNKNOWN_TYPE}`, () => raw(UNKNOWN_TYPE, 0));
export const SWITCHOVER_ACK = bad('SWITCHOVER_ACK', () => encodeReturnPath('SWITCHOVER_ACK', {}));
export const WRONG_LENGTH = bad('REQ_PAGES of 1 byte', () => raw(RETURN_PATH_MESSAGES.REQ_PAGES.code, 1));
export const TOO_LONG = bad(`message of ${RETURN_PATH_LIMIT_BYTES + 1} bytes`, () =>
  raw(RETURN_PATH_MESSAGES.REQ_PAGES_ID.code, RETURN_PATH_LIMIT_BYTES + 1),
);
export const RESUME_ACK_2 = bad('RESUME_ACK 2', () => encodeReturnPath('RESUME_ACK', { value: 2 }));
export const BITMAP_UNASKED = bad('received bitmap outside of a recovery', (known) => {
  const { block } = largest(known);
  const bits = known.ram.receivedBits(block, []);
  return joinBytes([encodeReturnPath('RECV_BITMAP', { block }), encodeReceivedBitmap(bits)]);
});
export const SHUT_1 = bad('SHUT 1 in postcopy', () => encodeReturnPath('SHUT', { value: 1 }));
export const SHUT_1_AT_EOF = bad('SHUT 1 after EOF', () => encodeReturnPath('SHUT', { value: 1 }), 'eof');

/** What makes the return path bad, each alone in a run. */
export const BAD_MESSAGES = [
  UNALIGNED_START,
  UNALIGNED_LENGTH,
  UNNAMED,
  UNKNOWN_BLOCK,
  OVERRUN,
  NAME_TOO_LONG,
  NAME_TOO_SHORT,
  TYPE_ZERO,
  TYPE_UNKNOWN,
  WRONG_LENGTH,
  TOO_LONG,
  RESUME_ACK_2,
  BITMAP_UNASKED,
] as const;

const NOTHING = new Uint8Array(0);

function leaves(what: string, at: Moment): Scenario {
  const says = { at, bytes: () => NOTHING, goesOn: false, thenCloses: true };
  return sourceScenario({ name: what, start: 'postcopy', says });
}

export const CUT_IN_POSTCOPY = leaves('the connection breaks in postcopy', 'after-pages');
export const CUT_AT_EOF = leaves('the connection breaks at EOF, before SHUT', 'eof');
