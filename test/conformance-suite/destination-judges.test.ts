// What is expected of a destination that may complete or fail: a failure has to show, and nothing that is wrong passes for one.
import t from 'tap';
import { answersOf } from '../../src/conformance/answers.ts';
import { completesOrFailsOnTheWire } from '../../src/conformance/expectations.ts';
import type { Run } from '../../src/conformance/scenario.ts';
import type { Subject } from '../../src/conformance/subject.ts';
import { encodeReturnPath } from '../../src/protocol/return-path-messages.ts';

interface Told {
  readonly status?: string;
  readonly stalledAt?: string;
  readonly peerClosed?: boolean;
}

/** The fault of a run with these SHUTs. */
function faultOf(
  shuts: readonly number[],
  { status, stalledAt, peerClosed = false }: Told,
): string | undefined {
  const pieces = shuts.map((value) => ({
    tSeconds: 0,
    conn: 0,
    dir: 'ret' as const,
    bytes: encodeReturnPath('SHUT', { value }),
  }));
  const exchange = { openings: [], pieces, endings: [] };
  const end = { exitCode: undefined, status, ramSha256: undefined, guestRuns: undefined, lastWords: '' };
  const run: Run = { exchange, end, stalledAt, peerClosed };
  const answers = answersOf(exchange, '7.2');
  return completesOrFailsOnTheWire().fault({ run, subject: {} as Subject, answers });
}

t.test('it may complete', async (t) => {
  t.equal(faultOf([0], { peerClosed: true, status: 'completed' }), undefined);
});

t.test('it may fail, whatever status two threads of it agree on', async (t) => {
  for (const status of ['failed', 'completed']) {
    t.equal(faultOf([], { peerClosed: true, status }), undefined, `closed, ${status}`);
    t.equal(faultOf([1], { status }), undefined, `SHUT 1, ${status}`);
  }
});

t.test('it may not fall silent, nor say that it completed when it did not', async (t) => {
  t.match(faultOf([], { stalledAt: 'SHUT' }), /neither closed nor said anything/);
  t.equal(faultOf([0], { peerClosed: true, status: 'failed' }), 'SHUT 0, the peer closed, status failed');
  t.match(faultOf([0], { peerClosed: true, stalledAt: 'a PONG' }), /SHUT 0/);
});
