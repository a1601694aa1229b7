// What both ends know of a push, put together.
import t from 'tap';
import { combinePush, pushResult } from '../../src/telemetry/push-result.ts';

const SOURCE = pushResult({
  strategy: 'forward',
  requests: 7,
  requestsFoundSent: 3,
  pullNs: null,
  starvedNs: 0,
  longestStarvedNs: 0,
  restFirstHostPages: 4,
});
const DESTINATION = pushResult({
  faultedHostPages: 9,
  faultedUnderWay: 0,
  pushedHostPages: 50,
  pushedTouched: null,
  pushedUntouched: null,
});

t.test('what an end cannot know is null', async (t) => {
  t.match(SOURCE, { requests: 7, pushedHostPages: null, faultedHostPages: null });
  t.match(DESTINATION, { strategy: null, requests: null, pushedHostPages: 50 });
  t.equal(pushResult(undefined), null);
});

t.test('together they know what either knows', async (t) => {
  t.strictSame(combinePush(SOURCE, DESTINATION), {
    strategy: 'forward',
    requests: 7,
    requestsFoundSent: 3,
    pullNs: null,
    starvedNs: 0,
    longestStarvedNs: 0,
    restFirstHostPages: 4,
    pieceBytes: null,
    pieces: null,
    piecesInterrupted: null,
    faultedHostPages: 9,
    faultedUnderWay: 0,
    pushedHostPages: 50,
    pushedTouched: null,
    pushedUntouched: null,
  });
  t.equal(combinePush(SOURCE, null), SOURCE);
  t.equal(combinePush(null, DESTINATION), DESTINATION);
  t.equal(combinePush(null, null), null);
});
