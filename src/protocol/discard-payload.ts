// Checks a RAM discard's payload in the order in which QEMU checks it (wire section 2.6, rules D34 to D37).
import { ProtocolError } from '../errors.ts';

/** Version byte, name length, terminator and one range of a block with a name of one byte. */
const SHORTEST_BYTES = 20;
const RANGE_BYTES = 16;

function fail(expected: string, found: string, rule: string): never {
  throw new ProtocolError('bad-discard', `POSTCOPY_RAM_DISCARD: expected ${expected}, found ${found}`, {
    rule,
  });
}

/** @throws ProtocolError `bad-discard` for a payload that QEMU refuses */
export function checkDiscardPayload(payload: Uint8Array): void {
  if (payload.length < SHORTEST_BYTES)
    fail(`at least ${SHORTEST_BYTES} bytes`, String(payload.length), 'D34');
  if (payload[0] !== 0) fail('version 0', String(payload[0]), 'D35');
  const nameBytes = payload[1]!;
  if (nameBytes === 0) fail('the name of a RAM block', 'an empty one', 'D36');
  const headBytes = 3 + nameBytes;
  if (payload.length < headBytes)
    fail(`${headBytes} bytes of version, name and 0`, String(payload.length), 'D36');
  if (payload[2 + nameBytes] !== 0) fail('a 0 byte behind the name', String(payload[2 + nameBytes]), 'D36');
  const rangeBytes = payload.length - headBytes;
  if (rangeBytes % RANGE_BYTES !== 0)
    fail(`ranges of ${RANGE_BYTES} bytes each`, `${rangeBytes} bytes`, 'D37');
}
