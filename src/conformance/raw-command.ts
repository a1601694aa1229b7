// Commands that no encoder of ours makes: wrong lengths, unknown codes, malformed payloads.
import { COMMAND_SECTION } from '../protocol/commands.ts';
import { counted } from '../protocol/fields.ts';
import { joinBytes } from '../protocol/message.ts';

/** A command of any code with any payload. */
export function rawCommand(code: number, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const { length } = payload;
  return joinBytes([
    Uint8Array.of(COMMAND_SECTION, code >> 8, code & 0xff, length >> 8, length & 0xff),
    payload,
  ]);
}

/** The parts of a discard's payload. */
export interface RawDiscard {
  readonly block: string;
  readonly version?: number;
  readonly terminator?: number;
  /** What follows the terminator. */
  readonly rest: Uint8Array;
}

/** A payload of a discard, however malformed. */
export function discardPayload({ block, version = 0, terminator = 0, rest }: RawDiscard): Uint8Array {
  return joinBytes([Uint8Array.of(version), counted.encode(block), Uint8Array.of(terminator), rest]);
}
