// The frames of a feed that means harm: each is refused, by the reader of frames or by the model.
import msgpack from 'msgpack-lite';
import { packRuns } from './synthetic-run.ts';

const HUGE = Number.MAX_SAFE_INTEGER;

/** Frames that claim, nest and count beyond measure. */
export function hostileFrames(): Buffer[] {
  const head = { seq: 7, at: 5e12 + 1e6, end: 'source' };
  const block = { name: 'b', length: HUGE, hostPage: 4096, placementPage: 4096, targetPage: 4096 };
  const hello = {
    ...head,
    kind: 'hello',
    version: 1,
    run: 'r',
    startedAt: 0,
    vcpus: 2,
    control: false,
    link: null,
    channels: 1,
  };
  const deep = Buffer.alloc(100_000, 0x91);
  return [
    Buffer.from('dd7fffffff', 'hex'), // an array of 2^31 entries
    Buffer.from('df7fffffff', 'hex'),
    Buffer.from('c6ffffffff', 'hex'),
    deep,
    Buffer.alloc(5 * 2 ** 20, 0xc0),
    Buffer.alloc(0),
    ...[
      [1, 2, 3],
      'text',
      null,
      { ...head, kind: 'no such kind' },
      { ...head, kind: '__proto__' },
      { ...head, kind: 'toString' },
      { ...hello, version: 2 },
      { ...hello, blocks: Array.from({ length: 5000 }, () => block) },
      { ...hello, vcpus: 1e9 },
      { ...hello, run: 'x'.repeat(100_000) },
      { ...head, at: Number.NaN, kind: 'state', state: 'active' },
      { ...head, at: Number.POSITIVE_INFINITY, kind: 'state', state: 'active' },
      { ...head, at: 8e15, kind: 'state', state: 'active' },
      { ...head, at: -1, kind: 'state', state: 'active' },
      { ...head, kind: 'state', state: 'levitating' },
      { ...head, kind: 'rates', interval: 1e308, background: 1e308 },
      { ...head, kind: 'vcpus', list: Array.from({ length: 1000 }, () => ({ running: true, steps: 1 })) },
      {
        ...head,
        kind: 'faults',
        list: [
          {
            vcpu: 1e6,
            block: 'b',
            offset: 0,
            fault: 1,
            requested: 1,
            firstByte: 1,
            placed: 1,
            running: 1,
            by: 'push',
          },
        ],
      },
      { ...head, kind: 'stalls', count: 1, sum: 1, buckets: Array.from({ length: 60_000 }, () => 1) },
      {
        ...head,
        kind: 'pages',
        block: 'pc.ram',
        unit: 1,
        first: 0,
        full: true,
        states: packRuns([[3, 4_294_967_295]]),
      },
      {
        ...head,
        kind: 'pages',
        block: 'pc.ram',
        unit: 65_536,
        first: HUGE,
        full: true,
        states: packRuns([[3, 1]]),
      },
      { ...head, kind: 'pages', block: 'pc.ram', unit: 65_536, first: 0, full: true, states: 'text' },
    ].map((value) => msgpack.encode(value)),
  ];
}
