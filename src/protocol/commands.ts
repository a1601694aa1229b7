// The COMMAND sections, source to destination: u8 0x08, u16 code, u16 payload length, payload (wire section 2).
import { be32, be32Hex, be64, counted, ranges, text, u8 } from './fields.ts';
import { defineMessage, indexByCode, joinBytes, type MessageIn, type ValuesOf } from './message.ts';
import { REASON_LIMIT_BYTES } from './negotiation-messages.ts';

/** All commands, in the order of their codes. */
export const COMMANDS = {
  OPEN_RETURN_PATH: defineMessage('OPEN_RETURN_PATH', {
    code: 1,
    doc: 'Opens the return path: the destination may write from now on.',
    fields: {},
  }),
  PING: defineMessage('PING', {
    code: 2,
    doc: 'Asks for a PONG with the same value.',
    fields: { value: be32Hex },
  }),
  POSTCOPY_ADVISE: defineMessage('POSTCOPY_ADVISE', {
    code: 3,
    doc: 'Announces that postcopy may follow; empty when only dirty bitmaps would be postcopied.',
    fields: { pageSizeSummary: be64, targetPageSize: be64 },
    mayBeEmpty: true,
  }),
  POSTCOPY_LISTEN: defineMessage('POSTCOPY_LISTEN', {
    code: 4,
    doc: 'Arms fault handling; RAM pages follow postcopy rules from now on.',
    fields: {},
  }),
  POSTCOPY_RUN: defineMessage('POSTCOPY_RUN', {
    code: 5,
    doc: 'Starts the vCPUs at the destination and ends the package.',
    fields: {},
  }),
  POSTCOPY_RAM_DISCARD: defineMessage('POSTCOPY_RAM_DISCARD', {
    code: 6,
    doc: 'Drops ranges of a RAM block that were sent and have changed since, or were never sent.',
    fields: { version: u8, block: counted, terminator: u8, ranges },
  }),
  PACKAGED: defineMessage('PACKAGED', {
    code: 7,
    doc: 'Precedes a blob of sections and commands that the destination reads whole before it loads any.',
    fields: { length: be32 },
  }),
  ENABLE_COLO: defineMessage('ENABLE_COLO', {
    code: 8,
    doc: 'Turns COLO on; recognised and refused.',
    fields: {},
  }),
  POSTCOPY_RESUME: defineMessage('POSTCOPY_RESUME', {
    code: 9,
    doc: 'Goes on with a paused postcopy after the received bitmaps were exchanged.',
    fields: {},
  }),
  RECV_BITMAP: defineMessage('RECV_BITMAP', {
    code: 10,
    doc: 'Asks for the received bitmap of a RAM block.',
    fields: { block: counted },
  }),
  SWITCHOVER_START: defineMessage('SWITCHOVER_START', {
    code: 11,
    doc: 'Tells that the source VM has stopped, before the final data.',
    fields: {},
    since: '10.x',
  }),
  REASON: defineMessage('REASON', {
    code: 0x4851,
    doc: 'Tells the destination why the source is about to leave.',
    fields: { text: text(REASON_LIMIT_BYTES) },
    extension: true,
  }),
} as const;

/** Name of a command. */
export type CommandName = keyof typeof COMMANDS;

/** A decoded command. An ADVISE with an empty payload has zeros in both fields; its length tells it from a full one. */
export type Command = MessageIn<typeof COMMANDS>;

/** Commands by their code. */
export const COMMAND_BY_CODE = indexByCode(COMMANDS);

/** Section type byte of a command. */
export const COMMAND_SECTION = 0x08;

/** A whole command section. */
export function encodeCommand<N extends CommandName>(
  name: N,
  values: ValuesOf<(typeof COMMANDS)[N]['fields']>,
): Uint8Array {
  const type = COMMANDS[name];
  const payload = (type.encode as (values: unknown) => Uint8Array)(values);
  const head = Uint8Array.from([
    COMMAND_SECTION,
    type.code >> 8,
    type.code & 0xff,
    payload.length >> 8,
    payload.length & 0xff,
  ]);
  return joinBytes([head, payload]);
}
