// The return path, destination to source: u16 type, u16 length, data; no footers (wire section 5).
import { be32, be32Hex, be64, counted, text } from './fields.ts';
import { defineMessage, indexByCode, joinBytes, type MessageIn, type ValuesOf } from './message.ts';
import { REASON_LIMIT_BYTES } from './negotiation-messages.ts';

/** All return-path messages, in the order of their types. */
export const RETURN_PATH_MESSAGES = {
  SHUT: defineMessage('SHUT', {
    code: 1,
    doc: 'Ends the return path; 0 tells success.',
    fields: { value: be32 },
  }),
  PONG: defineMessage('PONG', {
    code: 2,
    doc: 'Answers a PING with its value.',
    fields: { value: be32Hex },
  }),
  REQ_PAGES_ID: defineMessage('REQ_PAGES_ID', {
    code: 3,
    doc: 'Asks for pages of the RAM block it names.',
    fields: { start: be64, length: be32Hex, block: counted },
  }),
  REQ_PAGES: defineMessage('REQ_PAGES', {
    code: 4,
    doc: 'Asks for pages of the RAM block last named.',
    fields: { start: be64, length: be32Hex },
  }),
  RECV_BITMAP: defineMessage('RECV_BITMAP', {
    code: 5,
    doc: 'Names the RAM block whose received bitmap follows, outside the length.',
    fields: { block: counted },
  }),
  RESUME_ACK: defineMessage('RESUME_ACK', {
    code: 6,
    doc: 'Answers POSTCOPY_RESUME; always 1.',
    fields: { value: be32 },
  }),
  SWITCHOVER_ACK: defineMessage('SWITCHOVER_ACK', {
    code: 7,
    doc: 'Tells that the destination is ready for the switchover.',
    fields: {},
    since: '10.x',
  }),
  HOST_PAGE: defineMessage('HOST_PAGE', {
    code: 0x4850,
    doc: 'Tells the host page and the placement page of a block; an empty name stands for all blocks not named.',
    fields: { hostPage: be64, placementPage: be64, block: counted },
    extension: true,
  }),
  REASON: defineMessage('REASON', {
    code: 0x4851,
    doc: 'Tells the source why the destination is about to leave.',
    fields: { text: text(REASON_LIMIT_BYTES) },
    extension: true,
  }),
} as const;

/** Name of a return-path message. */
export type ReturnPathName = keyof typeof RETURN_PATH_MESSAGES;

/** A decoded return-path message. */
export type ReturnPathMessage = MessageIn<typeof RETURN_PATH_MESSAGES>;

/** Return-path messages by their type. */
export const RETURN_PATH_BY_CODE = indexByCode(RETURN_PATH_MESSAGES);

/** QEMU refuses longer return-path data. */
export const RETURN_PATH_LIMIT_BYTES = 512;

/** A whole return-path message. */
export function encodeReturnPath<N extends ReturnPathName>(
  name: N,
  values: ValuesOf<(typeof RETURN_PATH_MESSAGES)[N]['fields']>,
): Uint8Array {
  const type = RETURN_PATH_MESSAGES[name];
  const data = (type.encode as (values: unknown) => Uint8Array)(values);
  return joinBytes([
    Uint8Array.from([type.code >> 8, type.code & 0xff, data.length >> 8, data.length & 0xff]),
    data,
  ]);
}
