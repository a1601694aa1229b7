// The model of a run: its maps over time, its lanes, the sentence of a moment, the log, and the saved file.
import msgpack from 'msgpack-lite';
import t from 'tap';
import { describeMoment, presenceAt } from '../../src/watch/model/describe-now.ts';
import type { EndFrame, Fault, RatesFrame } from '../../src/watch/model/frame.ts';
import { layoutMap, spotAt, zoomPart } from '../../src/watch/model/map-layout.ts';
import { readFrame } from '../../src/watch/model/read-frame.ts';
import { RunLog, RunWatch } from '../../src/watch/model/run-log.ts';
import { RunModel } from '../../src/watch/model/run-model.ts';
import { frameLength, readSavedRun, savedRunHead } from '../../src/watch/model/saved-run.ts';
import { causeOf, partsOf, StallLane } from '../../src/watch/model/stall-lanes.ts';
import { attributeBytes } from '../../src/watch/model/throughput.ts';
import { eventfulSpan, switchoverOf } from '../../src/watch/model/whereabouts.ts';
import { packRuns, syntheticRun } from './synthetic-run.ts';

function framesOf(bytes: readonly Uint8Array[]): EndFrame[] {
  return bytes.map((one) => {
    const frame = readFrame(one, (document) => msgpack.decode(document));
    if (frame.kind === 'refused') throw new Error(frame.fault);
    return frame as EndFrame;
  });
}

function modelOf(frames: readonly EndFrame[]): RunModel {
  const run = new RunModel();
  for (const frame of frames) run.take(frame);
  return run;
}

const frames = framesOf(syntheticRun({ entries: 2000 }));

t.test('a map at any moment is what playing the frames up to it gives', async (t) => {
  const run = modelOf(frames);
  const { pages } = run.ends.destination;
  const moments = frames.filter(({ kind }) => kind === 'pages').map(({ at }) => at);
  // Forwards, backwards and across, so that checkpoints and the playing on from where it stands are both used.
  for (const at of [moments[3]!, moments[20]!, moments[7]!, moments[30]!, moments[0]!, moments.at(-1)!]) {
    const expected = modelOf(frames.filter((frame) => frame.at <= at)).ends.destination.pages.now.get(
      'pc.ram',
    )!;
    const found = pages.stateAt(at).get('pc.ram')!;
    t.strictSame([...found.states], [...expected.states], `at ${at}`);
    t.strictSame([...found.counts], [...expected.counts], 'and its counts');
  }
});

t.test('many small changes go through checkpoints that are thinned out', async (t) => {
  const hello = frames.find((frame) => frame.kind === 'hello' && frame.end === 'destination')!;
  const run = new RunModel();
  run.take(hello);
  const model = new Uint8Array(2000);
  const kept = new Map<number, Uint8Array>();
  for (let i = 0; i < 2000; i += 1) {
    const at = hello.at + i + 1;
    run.take({
      kind: 'pages',
      seq: i + 10,
      at,
      end: 'destination',
      block: 'pc.ram',
      unitBytes: 65_536,
      first: i,
      full: false,
      runs: packRuns([[3, 1]]),
    });
    model[i] = 3;
    if (i % 333 === 0) kept.set(at, model.slice());
  }
  for (const [at, states] of [...kept].reverse()) {
    t.strictSame([...run.ends.destination.pages.stateAt(at).get('pc.ram')!.states], [...states]);
  }
  t.strictSame(
    run.ends.destination.pages.historyOf('pc.ram', 1000, Number.MAX_SAFE_INTEGER, 5),
    [{ at: hello.at + 1001, state: 3 }],
    'and the history of a page is its one change',
  );
});

t.test('pages that cannot be are refused and change nothing', async (t) => {
  const run = modelOf(frames.filter(({ kind }) => kind === 'hello'));
  const base = {
    kind: 'pages',
    seq: 99,
    at: 5e12 + 1,
    end: 'destination',
    block: 'pc.ram',
    unitBytes: 65_536,
    first: 0,
    full: false,
  } as const;
  const refused = [
    { ...base, runs: packRuns([[3, 2001]]) },
    { ...base, first: 1999, runs: packRuns([[3, 2]]) },
    { ...base, runs: new Uint8Array(7) },
    { ...base, unitBytes: 0, runs: packRuns([[3, 1]]) },
    { ...base, unitBytes: 1, runs: packRuns([[3, 1]]) },
    { ...base, block: 'elsewhere', runs: packRuns([[3, 1]]) },
  ];
  for (const frame of refused) run.take(frame);
  t.equal(run.refused, refused.length);
  t.equal(run.ends.destination.pages.now.get('pc.ram')?.counts[3] ?? 0, 0);
  run.take({
    ...base,
    runs: packRuns([
      [3, 5],
      [255, 5],
      [4, 5],
    ]),
  });
  t.strictSame(
    [...run.ends.destination.pages.now.get('pc.ram')!.states.subarray(0, 16)],
    [3, 3, 3, 3, 3, 0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 0],
  );
});

function fault(from: number, to: number, more: Partial<Fault> = {}): Fault {
  return {
    vcpu: 0,
    block: 'pc.ram',
    offset: 0,
    fault: from,
    requested: from,
    firstByte: from,
    placed: to,
    running: to,
    by: 'request',
    causes: undefined,
    ...more,
  };
}

t.test('a lane tells what share of any interval a vCPU stood still', async (t) => {
  const lane = new StallLane();
  for (const stall of [fault(10, 20), fault(40, 100), fault(30, 35)]) t.ok(lane.take(stall));
  t.notOk(lane.take(fault(50, 60)), 'no vCPU stands still twice at once');
  t.notOk(lane.take(fault(200, 150)), 'nor runs before it stopped');
  t.equal(lane.standingShare(0, 100), 0.75);
  t.equal(lane.standingShare(15, 25), 0.5);
  t.equal(lane.standingShare(36, 40), 0);
  t.equal(lane.standingShare(50, 60), 1);
  t.equal(lane.mainStall(12, 90)?.fault, 40);
  t.equal(lane.mainStall(21, 29), undefined);
});

t.test('the parts of a stall add up, and the largest gives its cause', async (t) => {
  const causes = { trap: 1, requestWay: 2, sourceWait: 3, wire: 4, restOfPage: 80, copy: 5, wake: 5 };
  const told = fault(0, 100, { causes });
  t.equal(causeOf(told), 'restOfPage');
  t.equal(
    partsOf(told).reduce((sum, { ns }) => sum + ns, 0),
    100,
  );
  const bare = fault(1000, 1100, { requested: 1010, firstByte: 1030, placed: 1090, by: 'push' });
  t.equal(causeOf(bare), 'push');
  t.strictSame(
    partsOf(bare).map(({ ns }) => ns),
    [10, 20, 60, 10],
  );
  const early = fault(1000, 1100, { requested: 0, firstByte: 500, placed: 1090 });
  t.strictSame(
    partsOf(early).map(({ ns }) => ns),
    [0, 0, 90, 10],
    'a page that was under way before the touch',
  );
});

t.test('one sentence tells each moment', async (t) => {
  const run = modelOf(frames);
  const at = (seconds: number): string => describeMoment(run, run.startAt + seconds * 1e9);
  t.match(describeMoment(new RunModel(), 0), /Nothing has been seen/);
  t.match(at(0.1), /has not begun/);
  t.match(at(0.25), /set up the migration/);
  t.match(at(0.8), /for the first time/);
  t.match(at(1.3), /again where it wrote: 95.4 MiB left after pass 1; to stop it now would cost 150 ms/);
  t.match(at(1.92), /^Switchover: the guest stands still/);
  t.match(
    at(2.5),
    /The guest runs at the destination with 7\d % of its memory in place; 1 of 2 vCPUs stands still/,
  );
  t.match(at(9), /Completed and verified/);
  const { stoppedAt, runningAt } = switchoverOf(run);
  t.equal(runningAt! - stoppedAt!, 4e7);
  t.equal(presenceAt(run, run.endAt).presentBytes, presenceAt(run, run.endAt).totalBytes);
});

t.test('a failure is told with its reason and where the guest is', async (t) => {
  const head = frames.filter(({ kind }) => kind === 'hello');
  const run = modelOf([
    ...head,
    { kind: 'state', seq: 9, at: 5e12 + 5, end: 'destination', state: 'failed', reason: 'page sizes differ' },
  ]);
  t.equal(
    describeMoment(run, run.endAt),
    'The migration failed, and the guest goes on at the source: page sizes differ.',
  );
});

t.test('a new run begins when an end names another one', async (t) => {
  const watch = new RunWatch();
  const hello = (end: 'source' | 'destination', run: string): EndFrame =>
    ({ ...frames.find((frame) => frame.kind === 'hello')!, end, run }) as EndFrame;
  t.strictSame(
    [
      hello('source', 'a'),
      hello('destination', 'b'),
      hello('source', 'a'),
      hello('destination', 'c'),
      hello('source', 'd'),
      hello('source', 'e'),
    ].map((one) => watch.begins(one)),
    [false, false, false, true, false, true],
  );
  t.notOk(watch.has('destination'), 'what is left of the run before is of no use');
});

t.test('the log gives late viewers all of the current run, and nothing of the one before', async (t) => {
  const log = new RunLog();
  const bytes = Buffer.from('x');
  for (const frame of frames) log.take(frame, bytes);
  t.equal(log.frames.length, frames.length);
  t.equal(log.after(log.frames[9]!.serial, 5)[0]!.serial, log.frames[10]!.serial);
  for (const frame of framesOf(syntheticRun({ run: 'second' }))) log.take(frame, bytes);
  t.equal(log.frames.length, framesOf(syntheticRun()).length);
  t.ok(log.after(3, 1)[0]!.serial > frames.length, 'a viewer of the old run goes on with the new one');
});

t.test('a saved run is read as it was written, and up to where it is cut off', async (t) => {
  const bytes = syntheticRun();
  const file = Buffer.concat([savedRunHead(), ...bytes.flatMap((one) => [frameLength(one), one])]);
  t.strictSame(
    readSavedRun(file)!.frames.map((one) => Buffer.from(one)),
    bytes,
  );
  const cut = readSavedRun(file.subarray(0, file.length - 3))!;
  t.equal(cut.frames.length, bytes.length - 1);
  t.match(cut.fault, /cut off/);
  t.equal(readSavedRun(Buffer.from('PCRUN002')), undefined);
  t.match(
    readSavedRun(Buffer.concat([savedRunHead(), Buffer.from('ffffffff', 'hex')]))!.fault,
    /4294967295 bytes/,
  );
});

t.test('every page has its place on the map, and is found there again', async (t) => {
  for (const [count, width, height] of [
    [3, 600, 300],
    [4096, 600, 300],
    [4_194_304, 1900, 800],
    [4_194_304, 300, 120],
  ] as const) {
    const [region, other] = layoutMap(
      [
        { name: 'a', unitBytes: 4096, first: 0, count },
        { name: 'b', unitBytes: 4096, first: 0, count: 16 },
      ],
      width,
      height,
      18,
    );
    t.ok(region!.top + region!.rows * region!.pitch <= other!.top, `${count} pages on ${width} x ${height}`);
    t.ok(region!.columns * region!.pitch <= width);
    t.ok(region!.columns * region!.rows * region!.perCell >= count);
    const last = Math.ceil(count / region!.perCell) - 1;
    const x = region!.left + (last % region!.columns) * region!.pitch + 1;
    const y = region!.top + Math.floor(last / region!.columns) * region!.pitch + 1;
    const spot = spotAt([region!, other!], x, y)!;
    t.equal(spot.entry + spot.count, count);
  }
  const part = zoomPart({ name: 'a', unitBytes: 1, first: 0, count: 1000 }, 1000, 900, 0.5);
  t.ok(
    part.count === 500 && part.first <= 900 && part.first + part.count > 900,
    'the page zoomed at stays in sight',
  );
});

t.test(
  'bytes of a large page belong to what it was sent for, though that is told when it is complete',
  async (t) => {
    const rates = (wire: number, background: number, urgent: number): RatesFrame => {
      const head = { kind: 'rates', seq: 1, at: 1, end: 'source', intervalNs: 1e8 } as const;
      return {
        ...head,
        wire,
        background,
        urgent,
        zero: 0,
        precopy: 0,
        dirty: 0,
        faults: 0,
        requestsOpen: 0,
        pushPaused: false,
      };
    };
    const found = attributeBytes([
      rates(10, 0, 0),
      rates(30, 0, 0),
      rates(8, 40, 0),
      rates(4, 0, 0),
      rates(6, 0, 5),
      rates(7, 0, 0),
    ]);
    t.strictSame(
      found.map(({ background, urgent, underWay }) => [background, urgent, underWay]),
      [
        [10, 0, 0],
        [30, 0, 0],
        [8, 0, 0],
        [0, 4, 0],
        [0, 6, 0],
        [0, 0, 7],
      ],
    );
    t.equal(
      attributeBytes([rates(0, 3, 1)])[0]!.urgent,
      1,
      'without bytes of the wire those of the pages count',
    );
  },
);

t.test('the part of a run in which something happens leaves the wait and the proof out', async (t) => {
  const run = modelOf(frames);
  const { from, to } = eventfulSpan(run);
  t.ok(from > run.startAt - 1 && from <= run.startAt + 2e8, 'from half a second before the set-up');
  t.ok(to <= run.endAt && to > switchoverOf(run).runningAt!);
});
