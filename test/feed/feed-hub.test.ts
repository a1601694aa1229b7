// Who watches a feed sees all of it, or knows what it missed: viewers that are early, late, slow, or several.
import t from 'tap';
import { FeedHub, type FeedPart, type FeedRun, type Viewer } from '../../src/feed/feed-hub.ts';
import type { FeedFrame } from '../../src/feed/feed-messages.ts';
import { FeedModel } from '../../src/feed/feed-model.ts';
import { PageMap } from '../../src/feed/page-map.ts';
import { FEED_PAGE } from '../../src/feed/page-runs.ts';

const RIGHTS = { control: false, hold: false, repeat: false };
const COUNT = 20_000;

/** A run whose pages a test sets. */
class ScriptedRun implements FeedRun {
  readonly states = new Uint8Array(COUNT);
  readonly pages = new PageMap([
    {
      block: 'ram',
      unit: 4096,
      count: COUNT,
      initial: FEED_PAGE.MISSING,
      read: (from, into) => into.set(this.states.subarray(from, from + into.length)),
    },
  ]);

  hello(): ReturnType<FeedRun['hello']> {
    const ram = { name: 'ram', length: COUNT * 4096, hostPage: 4096, placementPage: 4096, targetPage: 4096 };
    return { run: 'r', startedAt: 0, blocks: [ram], vcpus: 0, link: null, channels: 1 };
  }

  tick(): FeedPart[] {
    return [{ kind: 'vcpus', list: [] }];
  }
}

/** A viewer that takes all, or, once it is told to, nothing. */
class TestViewer implements Viewer {
  readonly model = new FeedModel();
  readonly frames: FeedFrame[] = [];
  backlogBytes = 0;

  take(frame: FeedFrame): void {
    this.frames.push(frame);
    this.model.take(frame);
  }

  get states(): Uint8Array {
    return this.model.blocks.get('ram')!.states;
  }
}

function begin(): { hub: FeedHub; run: ScriptedRun } {
  const hub = new FeedHub('source', RIGHTS);
  const run = new ScriptedRun();
  hub.begin(run);
  return { hub, run };
}

t.test('one that is early and one that is late see the same', async (t) => {
  const { hub, run } = begin();
  const early = new TestViewer();
  hub.attach(early);
  hub.tell({ kind: 'state', state: 'active' });
  run.states.fill(9, 100, 5000);
  hub.tell({
    kind: 'pass',
    index: 1,
    dirtyBytes: 1,
    sentBytes: 2,
    remaining: 3,
    bandwidth: null,
    expectedDowntimeOld: null,
    expectedDowntimeNew: null,
  });
  hub.settle();
  const late = new TestViewer();
  hub.attach(late);
  t.strictSame([early.frames[0]?.kind, late.frames[0]?.kind], ['hello', 'hello'], 'who this is comes first');
  for (const { model, states } of [early, late]) {
    t.equal(model.last.state?.state, 'active');
    t.equal(model.passes.length, 1);
    t.equal(Buffer.compare(states, run.states), 0);
    t.equal(model.last.hello?.dropped, 0);
  }
});

t.test(
  'one that is slow loses frames, knows how many, and is told all anew when it has caught up',
  async (t) => {
    const { hub, run } = begin();
    const [slow, fast] = [new TestViewer(), new TestViewer()];
    hub.attach(slow);
    hub.attach(fast);
    hub.settle();
    const before = slow.frames.length;
    const fastBefore = fast.frames.length;
    slow.backlogBytes = 2 ** 20 + 1;
    run.states.fill(3, 0, 777);
    for (let count = 0; count < 10; count += 1)
      hub.tell({ kind: 'state', state: count % 2 ? 'device' : 'active' });
    hub.settle();
    t.equal(slow.frames.length, before, 'it gets nothing');
    t.ok(fast.frames.length > fastBefore, 'and the other one is not held up by it');
    t.equal(hub.droppedFrames, fast.frames.length - fastBefore);
    slow.backlogBytes = 100_000;
    hub.settle();
    t.equal(slow.frames.length, before, 'nor while it still has much to take');
    slow.backlogBytes = 0;
    hub.settle();
    t.equal(Buffer.compare(slow.states, run.states), 0);
    t.equal(slow.model.last.state?.state, 'device');
    t.equal(slow.model.last.hello?.dropped, hub.droppedFrames);
    const numbers = slow.frames.map(({ seq }) => seq);
    t.ok(
      numbers.some((seq, index) => index > 0 && seq > numbers[index - 1]! + 1),
      'as the numbers of the frames show',
    );
  },
);

t.test('one that comes when all stands still is told all, however long that takes', async (t) => {
  const { hub, run } = begin();
  for (let page = 0; page < COUNT; page += 1) run.states[page] = page % 7;
  hub.settle();
  const viewer = new TestViewer();
  viewer.backlogBytes = 600_000; // too much for pages, not enough to count as slow
  hub.attach(viewer);
  t.notOk(viewer.frames.some(({ kind }) => kind === 'pages'));
  viewer.backlogBytes = 0;
  const isTold = (): boolean =>
    viewer.frames.some(({ kind }) => kind === 'pages') && Buffer.compare(viewer.states, run.states) === 0;
  for (const endMs = performance.now() + 10_000; !isTold() && performance.now() < endMs; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  t.ok(isTold());
  const told = viewer.frames.length;
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.equal(viewer.frames.length, told, 'and then there is nothing more to tell');
});

t.test('one that left gets nothing more', async (t) => {
  const { hub } = begin();
  const viewer = new TestViewer();
  const detach = hub.attach(viewer);
  t.equal(hub.viewerCount, 1);
  detach();
  const before = viewer.frames.length;
  hub.tell({ kind: 'state', state: 'active' });
  t.equal(viewer.frames.length, before);
  t.equal(hub.viewerCount, 0);
});

t.test('another run is told with all that belongs to it, and nothing of the one before', async (t) => {
  const { hub } = begin();
  const viewer = new TestViewer();
  hub.attach(viewer);
  hub.tell({ kind: 'result', result: { status: 'completed' } });
  const next = new ScriptedRun();
  next.hello = () => ({ ...new ScriptedRun().hello(), run: 'another' });
  hub.begin(next);
  hub.settle();
  t.equal(viewer.model.last.hello?.run, 'another');
  t.equal(viewer.model.last.result, undefined);
  const late = new TestViewer();
  hub.attach(late);
  t.equal(late.model.last.result, undefined);
});
