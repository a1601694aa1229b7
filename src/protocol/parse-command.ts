// Parses a COMMAND section: everything that can be wrong with it whatever the state of the migration.
import { ProtocolError } from '../errors.ts';
import { hex } from './bytes.ts';
import { COMMAND_BY_CODE, type Command } from './commands.ts';
import { checkDiscardPayload } from './discard-payload.ts';
import type { Parsed } from './parsed.ts';
import { type Profile, refuses } from './profile.ts';

const COMMAND_HEAD_BYTES = 5;

/** Parses a command with its type byte. @throws ProtocolError for a command that is unknown or malformed */
export function parseCommand(
  bytes: Uint8Array,
  at: number,
  end: number,
  { profile, extension }: { readonly profile: Profile; readonly extension: boolean },
): Parsed<Command> {
  if (end - at < COMMAND_HEAD_BYTES) return { wantedBytes: COMMAND_HEAD_BYTES };
  const code = bytes[at + 1]! * 256 + bytes[at + 2]!;
  const length = bytes[at + 3]! * 256 + bytes[at + 4]!;
  const type = COMMAND_BY_CODE.get(code);
  if (type === undefined || refuses(type, profile, extension)) {
    const known = type === undefined ? '' : ` (${type.name}, not legal here)`;
    const message = `expected a command, found ${hex(code, 4)}${known}`;
    throw new ProtocolError('unknown-command', message, { rule: 'D20' });
  }
  const isEmptyAllowed = type.mayBeEmpty === true && length === 0;
  if (type.fixedBytes !== undefined && type.fixedBytes !== length && !isEmptyAllowed) {
    const expected = type.mayBeEmpty === true ? `0 or ${type.fixedBytes}` : String(type.fixedBytes);
    throw new ProtocolError(
      'bad-command-length',
      `${type.name}: expected length ${expected}, found ${length}`,
      { rule: type.name === 'POSTCOPY_ADVISE' ? 'D27' : 'D21' },
    );
  }
  const usedBytes = COMMAND_HEAD_BYTES + length;
  if (end - at < usedBytes) return { wantedBytes: usedBytes };
  const payload = bytes.subarray(at + COMMAND_HEAD_BYTES, at + usedBytes);
  if (type.name === 'POSTCOPY_RAM_DISCARD') checkDiscardPayload(payload);
  if (type.name === 'RECV_BITMAP') checkBlockName(payload);
  const values = isEmptyAllowed ? { pageSizeSummary: 0, targetPageSize: 0 } : type.decode(payload);
  return { record: { name: type.name, ...values } as Command, usedBytes };
}

function checkBlockName(payload: Uint8Array): void {
  const nameBytes = payload.length === 0 ? 0 : payload[0]!;
  if (nameBytes > 0 && payload.length === 1 + nameBytes) return;
  const found = `${payload.length} bytes with a name of ${nameBytes}`;
  const message = `RECV_BITMAP: expected the name of a RAM block and nothing else, found ${found}`;
  throw new ProtocolError('bad-command-length', message, { rule: 'D55' });
}
