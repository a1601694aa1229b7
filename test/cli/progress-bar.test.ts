// The progress bar with a clock of its own: what is written when, and what stays on the screen.
import t from 'tap';
import { Progress, type ProgressOptions } from '../../src/cli/progress-bar.ts';

const CLEAR = '\r\x1b[2K';
const MIB = 2 ** 20;

function rig(options: Partial<ProgressOptions> & { columns?: number }) {
  const written: string[] = [];
  const clock = { ms: 0 };
  const progress = new Progress({
    stream: { write: (text) => written.push(text), columns: options.columns ?? 80 },
    isTerminal: true,
    label: 'source',
    nowMs: () => clock.ms,
    ...options,
  });
  return { progress, written, clock };
}

t.test('a terminal: one line, drawn over, at most ten times a second, cleared at the end', async (t) => {
  const { progress, written, clock } = rig({});
  const at = (ms: number, doneBytes: number) => {
    clock.ms = ms;
    progress.update({ phase: 'precopy', doneBytes, totalBytes: 8 * MIB, detail: 'pass 1' });
  };
  at(0, 0);
  at(99, MIB);
  at(100, 6 * MIB);
  at(200, 8 * MIB);
  progress.done('completed');
  t.strictSame(written, [
    `${CLEAR}source: precopy [${'-'.repeat(24)}]   0 %  0 B of 8 MiB  pass 1`,
    `${CLEAR}source: precopy [${'#'.repeat(18)}${'-'.repeat(6)}]  75 %  6 MiB of 8 MiB  pass 1`,
    `${CLEAR}source: precopy [${'#'.repeat(24)}] 100 %  8 MiB of 8 MiB  pass 1`,
    CLEAR,
    'source: completed\n',
  ]);
});

t.test('a pipe: plain lines, one a second and one for each phase', async (t) => {
  const { progress, written, clock } = rig({ isTerminal: false });
  progress.phase('connecting');
  progress.phase('connecting');
  for (clock.ms = 0; clock.ms <= 2500; clock.ms += 100) {
    progress.update({ phase: 'postcopy', doneBytes: clock.ms, totalBytes: 4000 });
  }
  progress.done('completed');
  t.strictSame(written, [
    'source: connecting\n',
    'source: postcopy   0 %  0 B of 3.91 KiB\n',
    'source: postcopy  25 %  1000 B of 3.91 KiB\n',
    'source: postcopy  50 %  1.95 KiB of 3.91 KiB\n',
    'source: completed\n',
  ]);
});

t.test('with --json: nothing', async (t) => {
  const { progress, written } = rig({ enabled: false });
  progress.phase('precopy');
  progress.update({ phase: 'precopy', doneBytes: 1, totalBytes: 2 });
  progress.clear();
  progress.done('completed');
  t.strictSame(written, []);
});

t.test('the line never reaches the edge, and holds nothing of a peer that a terminal obeys', async (t) => {
  const { progress, written } = rig({ columns: 40 });
  progress.update({
    phase: 'precopy',
    doneBytes: 1,
    totalBytes: 2,
    detail: `block ${'\x1b[2J\n'.repeat(30)}`,
  });
  t.equal(written.length, 1);
  const line = written[0]!.slice(CLEAR.length);
  t.equal(line.length, 39);
  t.notOk(line.includes('\x1b') || line.includes('\n'));
});

t.test('an interrupted program clears the line, and other output may pass in between', async (t) => {
  const { progress, written } = rig({});
  progress.clear();
  t.strictSame(written, [], 'nothing drawn, nothing to clear');
  progress.phase('precopy');
  progress.clear();
  progress.clear();
  t.strictSame(written.splice(0), [`${CLEAR}source: precopy`, CLEAR]);
  progress.update({ phase: 'precopy', doneBytes: 5, totalBytes: 0 });
  t.strictSame(
    written.splice(0),
    [`${CLEAR}source: precopy 5 B`],
    'drawn again at once; no bar without a total',
  );
  progress.done();
  progress.done('again');
  progress.update({ phase: 'postcopy', doneBytes: 5, totalBytes: 0 });
  progress.phase('end');
  t.strictSame(written, [CLEAR], 'nothing after the end');
  t.notMatch(written.join(''), /\?25/, 'the cursor was never hidden');
});

t.test('never 100 % before the end, never more', async (t) => {
  const { progress, written } = rig({ isTerminal: false });
  progress.update({ phase: 'a', doneBytes: 999, totalBytes: 1000 });
  progress.update({ phase: 'b', doneBytes: 1001, totalBytes: 1000 });
  t.match(written[0], ' 99 %');
  t.match(written[1], '100 %');
});

t.test(
  'a phase without figures is named once, and a line that says nothing new is left out of a pipe',
  async (t) => {
    const { progress, written, clock } = rig({ isTerminal: false });
    for (clock.ms = 0; clock.ms <= 3000; clock.ms += 1000) {
      progress.update({ phase: 'hash', doneBytes: 0, totalBytes: 0 });
    }
    for (; clock.ms <= 9000; clock.ms += 1000) {
      progress.update({ phase: 'postcopy', doneBytes: MIB, totalBytes: MIB });
    }
    t.strictSame(written, ['source: hash\n', 'source: postcopy 100 %  1 MiB of 1 MiB\n']);
  },
);

t.test('a terminal of unknown width, which is 0, is taken for one of 80 columns', async (t) => {
  const { progress, written } = rig({ columns: 0 });
  progress.update({ phase: 'precopy', doneBytes: MIB, totalBytes: 2 * MIB });
  t.strictSame(written, [
    `${CLEAR}source: precopy [${'#'.repeat(12)}${'-'.repeat(12)}]  50 %  1 MiB of 2 MiB`,
  ]);
});
