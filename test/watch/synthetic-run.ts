// Makes the frames of a run that never happened, as an end would publish it: precopy, switchover, postcopy, completed.
import msgpack from 'msgpack-lite';
import { mix32 } from '../../src/machine/mix32.ts';

/** What the run is to be like. */
export interface SyntheticOptions {
  readonly seed?: number;
  readonly run?: string;
  /** Entries of pc.ram. */
  readonly entries?: number;
  readonly unitBytes?: number;
  readonly vcpus?: number;
  readonly control?: boolean;
  readonly startNs?: number;
  /** Long runs of pages of one state, as millions of pages come. */
  readonly sparse?: boolean;
}

const TICK = 1e8;
const PRECOPY_TICKS = 14;
const POSTCOPY_TICKS = 24;
const WORDS = {
  missing: 0,
  requested: 1,
  arriving: 2,
  push: 3,
  request: 4,
  zero: 5,
  discarded: 6,
  precopy: 7,
} as const;

/** Packs states as runs. */
export function packRuns(runs: readonly (readonly [state: number, count: number])[]): Buffer {
  const bytes = Buffer.alloc(runs.length * 5);
  runs.forEach(([state, count], index) => {
    bytes.writeUInt8(state, index * 5);
    bytes.writeUInt32BE(count, index * 5 + 1);
  });
  return bytes;
}

/** The states of entries as runs. */
function runsOf(states: Uint8Array): Buffer {
  const runs: [number, number][] = [];
  for (const state of states) {
    const last = runs.at(-1);
    if (last?.[0] === state) last[1] += 1;
    else runs.push([state, 1]);
  }
  return packRuns(runs);
}

/** Frames of both ends in order of time, as bytes. */
export function syntheticRun(options: SyntheticOptions = {}): Buffer[] {
  const {
    seed = 1,
    run = 'synthetic',
    entries = 4096,
    unitBytes = 65_536,
    vcpus = 2,
    control = false,
  } = options;
  const startNs = options.startNs ?? 5e12;
  const grain = options.sparse ? 64 : 1;
  const frames: Buffer[] = [];
  const seqs = { source: 0, destination: 0 };
  let draws = seed;
  const random = (below: number): number => {
    draws += 1;
    return mix32(draws * 2_654_435_761) % below;
  };
  const put = (end: 'source' | 'destination', at: number, frame: Record<string, unknown>): void => {
    seqs[end] += 1;
    frames.push(msgpack.encode({ ...frame, seq: seqs[end], at: startNs + at, end }));
  };
  const blocks = [
    {
      name: 'pc.ram',
      length: entries * unitBytes,
      hostPage: unitBytes * 16,
      placementPage: unitBytes * 16,
      targetPage: 4096,
    },
  ];
  for (const end of ['source', 'destination'] as const) {
    put(end, 0, {
      kind: 'hello',
      version: 1,
      run: `${run}-${end}`,
      startedAt: 1.7e12,
      blocks,
      vcpus,
      control,
      hold: control,
      repeat: false,
      link: null,
      channels: 1,
    });
    put(end, 0, { kind: 'state', state: 'waiting' });
    put(end, 2 * TICK, { kind: 'state', state: 'setup' });
    put(end, 3 * TICK, {
      kind: 'negotiation',
      outcome: 'negotiated',
      amplified: 5 * unitBytes,
      blocks: [
        {
          name: 'pc.ram',
          sourceHostPage: unitBytes,
          destinationHostPage: unitBytes * 16,
          placementPage: unitBytes * 16,
        },
      ],
    });
    put(end, 4 * TICK, { kind: 'state', state: 'active' });
  }
  const states = new Uint8Array(entries);
  const tell = (at: number): void =>
    put('destination', at, {
      kind: 'pages',
      block: 'pc.ram',
      unit: unitBytes,
      first: 0,
      full: false,
      states: runsOf(states),
    });
  const chunk = Math.ceil(entries / PRECOPY_TICKS);
  for (let tick = 0; tick < PRECOPY_TICKS; tick += 1) {
    const at = (5 + tick) * TICK;
    for (let i = tick * chunk; i < Math.min(entries, (tick + 1) * chunk); i += 1)
      states[i] = i % grain === 0 && random(5) === 0 ? WORDS.zero : WORDS.precopy;
    tell(at);
    put('source', at, {
      kind: 'rates',
      interval: TICK,
      background: 0,
      urgent: 0,
      zero: 0,
      precopy: chunk * unitBytes,
      dirty: (entries - tick * chunk) * unitBytes,
      faults: 0,
      requestsOpen: 0,
      pushPaused: false,
    });
    put('source', at, {
      kind: 'vcpus',
      list: Array.from({ length: vcpus }, () => ({ running: true, steps: tick * 2000 })),
    });
    put('source', at, {
      kind: 'records',
      list: [{ direction: 'ret', line: `off=0x${(tick * 8).toString(16)} len=8 PONG value=${tick}` }],
    });
    if (tick === 6 || tick === 12)
      put('source', at, {
        kind: 'pass',
        index: tick / 6,
        dirtyBytes: 3e8 / tick,
        sentBytes: 2e8,
        remaining: 1e8,
        bandwidth: 1e9,
        expectedDowntimeOld: 4e8 / tick,
        expectedDowntimeNew: 9e8 / tick,
      });
  }
  const stop = (5 + PRECOPY_TICKS) * TICK;
  for (const end of ['source', 'destination'] as const) put(end, stop, { kind: 'state', state: 'device' });
  for (let i = 0; i < entries; i += 1)
    if (i % grain === 0 ? random(3) === 0 : states[i - 1] === WORDS.discarded) states[i] = WORDS.discarded;
  tell(stop + 1e7);
  for (const end of ['source', 'destination'] as const)
    put(end, stop + 4e7, { kind: 'state', state: 'postcopy-active' });
  const buckets = new Array<number>(24).fill(0);
  const standing = new Array<number>(vcpus).fill(stop + 4e7);
  const missing = [...states.keys()].filter((entry) => states[entry] === WORDS.discarded);
  const each = Math.ceil(missing.length / POSTCOPY_TICKS);
  let [count, sum] = [0, 0];
  for (let tick = 0; tick < POSTCOPY_TICKS; tick += 1) {
    const at = stop + 4e7 + (tick + 1) * TICK;
    const list: Record<string, unknown>[] = [];
    for (let vcpu = 0; vcpu < vcpus; vcpu += 1) {
      for (let n = 0; n < 3; n += 1) {
        const fault = standing[vcpu]! + 2e6 + random(9e6);
        const took = 1e5 + random(4e7);
        if (fault + took > at) continue;
        standing[vcpu] = fault + took;
        const rest = took - 80_000;
        list.push({
          vcpu,
          block: 'pc.ram',
          offset: random(entries) * unitBytes,
          fault: startNs + fault,
          requested: startNs + fault + 20_000,
          firstByte: startNs + fault + 60_000,
          placed: startNs + fault + took - 10_000,
          running: startNs + fault + took,
          by: random(3) === 0 ? 'push' : 'request',
          ...(n === 0
            ? {}
            : {
                causes: {
                  trap: 20_000,
                  requestWay: 20_000,
                  sourceWait: random(2) * rest,
                  wire: 20_000,
                  restOfPage: rest,
                  copy: 10_000,
                  wake: 10_000,
                },
              }),
        });
        buckets[Math.floor(Math.log2(took / 1000))]! += 1;
        count += 1;
        sum += took;
      }
    }
    for (const entry of missing.slice(tick * each, (tick + 1) * each))
      states[entry] = entry % grain === 0 && random(4) === 0 ? WORDS.request : WORDS.push;
    for (const entry of missing.slice((tick + 1) * each, (tick + 1) * each + 4))
      states[entry] = WORDS.arriving;
    const asked = missing.at(-1 - tick);
    if (asked !== undefined && states[asked] === WORDS.discarded) states[asked] = WORDS.requested;
    tell(at);
    put('source', at, {
      kind: 'rates',
      interval: TICK,
      background: 3e7 + random(1e7),
      urgent: random(1e7),
      zero: 0,
      precopy: 0,
      dirty: (missing.length - tick * each) * unitBytes,
      faults: 0,
      requestsOpen: 0,
      pushPaused: false,
    });
    put('destination', at, {
      kind: 'rates',
      interval: TICK,
      background: 3e7,
      urgent: 1e7,
      zero: 0,
      precopy: 0,
      dirty: 0,
      faults: list.length,
      requestsOpen: 1,
      pushPaused: false,
    });
    put('destination', at, {
      kind: 'vcpus',
      list: standing.map((since, vcpu) =>
        vcpu === 0
          ? { running: false, steps: tick, block: 'pc.ram', offset: 0, since: startNs + since + 1e6 }
          : { running: true, steps: tick },
      ),
    });
    put('destination', at, { kind: 'faults', list, dropped: 0 });
    put('destination', at, {
      kind: 'records',
      list: [{ direction: 'fwd', line: `off=0x${(tick * 65_536).toString(16)} len=4104 PAGE block=pc.ram` }],
    });
    put('destination', at, {
      kind: 'stalls',
      count,
      mean: sum / Math.max(1, count),
      p50: 4e6,
      p90: 3e7,
      p99: 4.5e7,
      max: 5e7,
      sum,
      buckets,
      floor: 8e5,
    });
  }
  const end = stop + 4e7 + (POSTCOPY_TICKS + 1) * TICK;
  for (const entry of missing) if (states[entry] !== WORDS.request) states[entry] = WORDS.push;
  tell(end);
  const result = {
    status: 'completed',
    guestVerified: true,
    guestVerification: 'equal',
    times: { totalNs: end, downtimeNs: 4e7 },
    marks: { guestStoppedNs: startNs + stop, guestRunningNs: startNs + stop + 4e7 },
  };
  for (const name of ['source', 'destination'] as const) {
    put(name, end, { kind: 'state', state: 'completed' });
    put(name, end + TICK, {
      kind: 'result',
      result:
        name === 'destination'
          ? result
          : {
              ...result,
              guestVerified: false,
              marks: { guestStoppedNs: startNs + stop, guestRunningNs: null },
            },
    });
  }
  return frames;
}
