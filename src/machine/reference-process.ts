// Process that runs a guest without migration and sends the hash of its RAM to its parent.
import { toErrorRecord } from '../errors.ts';
import type { ReferenceAnswer, ReferenceQuestion } from './prove-guest.ts';
import { TARGET_PAGE_BYTES } from './ram-memory.ts';
import { referenceRun } from './reference.ts';

function answerTo(guest: ReferenceQuestion): ReferenceAnswer {
  const { touchesFrom, blocks } = guest;
  if (touchesFrom === undefined) return { ramSha256: referenceRun(guest) };
  const pageCount = blocks.reduce((sum, block) => sum + block.lengthBytes / TARGET_PAGE_BYTES, 0);
  const touched = new Uint32Array(Math.ceil(pageCount / 32));
  const ramSha256 = referenceRun(guest, {
    fromCounts: touchesFrom,
    onTouch(page) {
      touched[page >>> 5]! |= 1 << (page & 31);
    },
  });
  return { ramSha256, touched };
}

process.once('message', (guest: ReferenceQuestion) => {
  let answer: ReferenceAnswer;
  try {
    answer = answerTo(guest);
  } catch (error) {
    answer = { error: toErrorRecord(error) };
  }
  process.send?.(answer, () => process.disconnect());
});
