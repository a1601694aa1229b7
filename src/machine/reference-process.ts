// Process that runs a guest without migration and sends the hash of its RAM to its parent.
import { toErrorRecord } from '../errors.ts';
import type { ReferenceAnswer } from './prove-guest.ts';
import { type ReferenceGuest, referenceRun } from './reference.ts';

process.once('message', (guest: ReferenceGuest) => {
  let answer: ReferenceAnswer;
  try {
    answer = { ramSha256: referenceRun(guest) };
  } catch (error) {
    answer = { error: toErrorRecord(error) };
  }
  process.send?.(answer, () => process.disconnect());
});
