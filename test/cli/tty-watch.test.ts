// The watch in a terminal: what it shows of each state, in any width, and what a pipe gets of it.
import t from 'tap';
import { TtyWatch } from '../../src/cli/tty-watch.ts';
import { mapCells, watchLines } from '../../src/cli/watch-lines.ts';
import { FeedModel } from '../../src/feed/feed-model.ts';
import { FEED_PAGE } from '../../src/feed/page-runs.ts';
import { SAMPLE_FRAMES } from '../feed/sample-frames.ts';

/** A watch on a stream that keeps what is written. */
function watch(isTerminal: boolean, columns = 80) {
  const written: string[] = [];
  let nowMs = 0;
  const stream = { columns, write: (text: string) => written.push(text) };
  return {
    watch: new TtyWatch({ stream, isTerminal, nowMs: () => nowMs }),
    written,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

t.test('memory in cells', async (t) => {
  const { MISSING, PUSHED, REQUESTED, ZERO, SENT, TO_SEND } = FEED_PAGE;
  t.equal(mapCells(Uint8Array.of(MISSING, PUSHED, REQUESTED, ZERO), 4), ' █?█');
  t.equal(mapCells(Uint8Array.of(SENT, SENT, SENT, TO_SEND, TO_SEND, TO_SEND, TO_SEND, TO_SEND), 2), '▓ ');
  const nearly = new Uint8Array(1000).fill(SENT);
  nearly[999] = TO_SEND;
  t.equal(mapCells(nearly, 1), '▓', 'full only where all is there');
  t.equal(
    mapCells(new Uint8Array(1000).fill(MISSING).fill(PUSHED, 0, 1), 1),
    '░',
    'and empty only where nothing is',
  );
});

t.test('both ends in lines, none longer than the terminal is wide', async (t) => {
  const ends = new Map<string, FeedModel>();
  for (const end of ['source', 'destination'] as const) {
    const model = new FeedModel();
    for (const frame of SAMPLE_FRAMES) if (frame.kind !== 'pages') model.take({ ...frame, end });
    ends.set(end, model);
  }
  const text = watchLines(ends, 200).join('\n');
  for (const shown of [
    'source: failed',
    'destination: failed',
    'the source left',
    'vCPU 1 waits',
    'push paused',
    'stalls 1',
    'pass 1',
  ]) {
    t.ok(text.includes(shown), shown);
  }
  for (const columns of [19, 40, 79]) {
    t.ok(
      watchLines(ends, columns).every((line) => line.length <= columns),
      `${columns} columns`,
    );
  }
});

t.test('a terminal is drawn over, at most ten times a second, and can be cleared', async (t) => {
  const { watch: tty, written, pass } = watch(true);
  const [hello, state] = SAMPLE_FRAMES;
  tty.take(hello!);
  const first = written.length;
  tty.take(state!);
  t.equal(written.length, first, 'too soon');
  pass(100);
  tty.take(state!);
  t.ok(written.at(-1)!.startsWith('\x1b[1A\r\x1b[Jdestination: failed'), 'over the line before');
  tty.clear();
  t.equal(written.at(-1), '\x1b[1A\r\x1b[J');
  const before = written.length;
  tty.clear();
  t.equal(written.length, before, 'once');
  t.ok(
    written.every((text) => !text.includes('\x1b[?')),
    'no mode is changed that would have to be put back',
  );
});

t.test('a pipe gets plain lines: at each state, and once a second', async (t) => {
  const { watch: tty, written, pass } = watch(false);
  for (const frame of SAMPLE_FRAMES) if (frame.kind !== 'pages') tty.take(frame);
  t.equal(written.length, 1);
  pass(500);
  tty.take(SAMPLE_FRAMES[1]!);
  t.equal(written.length, 1);
  pass(500);
  tty.take(SAMPLE_FRAMES[1]!);
  t.equal(written.length, 2);
  t.ok(written.every((text) => !text.includes('\x1b') && text.endsWith('\n')));
});

t.test('a name cannot write to the terminal', async (t) => {
  const { watch: tty, written } = watch(true);
  tty.take({ ...SAMPLE_FRAMES[1]!, reason: '\x1b[2Jgone\n' } as never);
  t.notOk(written.join('').includes('\x1b[2J'));
});
