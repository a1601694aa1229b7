// Reads one frame of a feed: bytes to a checked frame, or the reason why it is refused.
import { findMsgpackFault } from '../../machine/msgpack-limits.ts';
import { FieldReader, FrameFault } from './field-reader.ts';
import {
  END_NAMES,
  END_STATES,
  type EndFrame,
  type Fault,
  type Frame,
  type FrameHead,
  type HelloFrame,
  HOPS,
} from './frame.ts';

/** Bytes of one frame. The feed keeps well below; a result with much in it is the largest. */
export const MAX_FRAME_BYTES = 4 * 2 ** 20;
/** How much one frame may hold. */
const DOCUMENT = { depth: 12, entries: 65_536 } as const;
const MAX_BLOCKS = 256;
const MAX_VCPUS = 64;
const MAX_FAULTS = 20_000;
const MAX_RECORDS = 1000;
const BUCKETS = 24;
const LINE_LENGTH = 400;

/** Decodes MessagePack: msgpack-lite, of Node or of the browser. */
export type Decode = (bytes: Uint8Array) => unknown;

/** Why a frame was refused. */
export interface RefusedFrame {
  readonly kind: 'refused';
  readonly fault: string;
}

/** Reads one frame; never throws for what the bytes are. */
export function readFrame(bytes: Uint8Array, decode: Decode): Frame | RefusedFrame {
  if (bytes.length > MAX_FRAME_BYTES) return { kind: 'refused', fault: `it has ${bytes.length} bytes` };
  const fault = findMsgpackFault(bytes, DOCUMENT);
  if (fault !== undefined) return { kind: 'refused', fault };
  try {
    return readFields(new FieldReader(decode(bytes), 'frame'));
  } catch (error) {
    // The library too throws on what it does not like, such as a text that is no UTF-8.
    return { kind: 'refused', fault: (error as Error).message.slice(0, 200) };
  }
}

function readFields(map: FieldReader): Frame {
  const kind = map.name('kind', 32);
  if (kind === 'watch') {
    const ends = map.list('ends', END_NAMES.length, (end) => ({
      end: end.choice('end', END_NAMES),
      url: end.text('url'),
      isConnected: end.flag('connected'),
      reason: end.text('reason'),
    }));
    return { kind, ends, control: map.flag('control'), file: map.text('file') };
  }
  const read = Object.hasOwn(READERS, kind) ? READERS[kind] : undefined;
  if (read === undefined) throw new FrameFault(`frame.kind '${kind.slice(0, 32)}' is not known`);
  const head = { seq: map.whole('seq', 0), at: map.number('at'), end: map.choice('end', END_NAMES) };
  return read(map, head);
}

const READERS: Readonly<Record<string, (map: FieldReader, head: FrameHead) => EndFrame>> = {
  hello: (map, head) => {
    if (map.whole('version') !== 1) throw new FrameFault('frame.version is not 1');
    return {
      ...head,
      kind: 'hello',
      run: map.name('run', 64),
      startedAtMs: map.number('startedAt', 0),
      blocks: map.list('blocks', MAX_BLOCKS, (block) => ({
        name: block.name('name'),
        lengthBytes: block.whole('length'),
        hostPageBytes: block.whole('hostPage', 0),
        placementPageBytes: block.whole('placementPage', 0),
      })),
      vcpus: map.whole('vcpus', 0, MAX_VCPUS),
      control: map.flag('control'),
      hold: map.flag('hold'),
      repeat: map.flag('repeat'),
      link: map.has('link') ? readLink(map.map('link')) : null,
      channels: map.whole('channels', 1),
    };
  },
  state: (map, head) => ({
    ...head,
    kind: 'state',
    state: map.choice('state', END_STATES),
    reason: map.text('reason', LINE_LENGTH),
  }),
  negotiation: (map, head) => ({
    ...head,
    kind: 'negotiation',
    outcome: map.choice('outcome', ['negotiated', 'legacy', 'refused']),
    reason: map.text('reason', LINE_LENGTH),
    blocks: map.list('blocks', MAX_BLOCKS, (block) => ({
      name: block.name('name'),
      sourceHostPageBytes: block.whole('sourceHostPage', 0),
      destinationHostPageBytes: block.whole('destinationHostPage', 0),
      placementPageBytes: block.whole('placementPage', 0),
    })),
    amplifiedBytes: map.number('amplified', 0),
  }),
  pages: (map, head) => ({
    ...head,
    kind: 'pages',
    block: map.name('block'),
    unitBytes: map.whole('unit'),
    first: map.whole('first'),
    full: map.flag('full'),
    runs: map.bytes('states', MAX_FRAME_BYTES),
  }),
  vcpus: (map, head) => ({
    ...head,
    kind: 'vcpus',
    list: map.list('list', MAX_VCPUS, (vcpu) => ({
      running: vcpu.flag('running'),
      steps: vcpu.number('steps', 0),
      block: vcpu.text('block'),
      offset: vcpu.number('offset', 0),
      since: vcpu.number('since', 0),
    })),
  }),
  faults: (map, head) => ({
    ...head,
    kind: 'faults',
    list: map.list('list', MAX_FAULTS, readFault),
    dropped: map.whole('dropped', 0),
  }),
  rates: (map, head) => ({
    ...head,
    kind: 'rates',
    intervalNs: map.number('interval'),
    wire: map.number('wire', 0),
    background: map.number('background', 0),
    urgent: map.number('urgent', 0),
    zero: map.number('zero', 0),
    precopy: map.number('precopy', 0),
    dirty: map.number('dirty', 0),
    faults: map.number('faults', 0),
    requestsOpen: map.number('requestsOpen', 0),
    pushPaused: map.flag('pushPaused'),
  }),
  totals: (map, head) => ({
    ...head,
    kind: 'totals',
    wire: map.number('wire', 0),
    requests: map.number('requests', 0),
    faults: map.number('faults', 0),
    presentBytes: map.number('presentBytes', 0),
    totalBytes: map.number('totalBytes', 0),
  }),
  stalls: (map, head) => ({
    ...head,
    kind: 'stalls',
    count: map.whole('count'),
    mean: map.numberOrNull('mean'),
    p50: map.numberOrNull('p50'),
    p90: map.numberOrNull('p90'),
    p99: map.numberOrNull('p99'),
    max: map.numberOrNull('max'),
    sum: map.number('sum', 0),
    buckets: map.numbers('buckets', BUCKETS),
    floor: map.numberOrNull('floor'),
  }),
  pass: (map, head) => ({
    ...head,
    kind: 'pass',
    index: map.whole('index'),
    dirtyBytes: map.number('dirtyBytes', 0),
    sentBytes: map.number('sentBytes', 0),
    remaining: map.number('remaining', 0),
    bandwidth: map.numberOrNull('bandwidth'),
    expectedDowntimeOld: map.numberOrNull('expectedDowntimeOld'),
    expectedDowntimeNew: map.numberOrNull('expectedDowntimeNew'),
  }),
  records: (map, head) => ({
    ...head,
    kind: 'records',
    list: map.list('list', MAX_RECORDS, (record) => ({
      direction: record.text('direction', 32),
      line: record.text('line', LINE_LENGTH),
    })),
  }),
  result: (map, head) => readResult(map.map('result'), head),
  'control-answer': (map, head) => ({
    ...head,
    kind: 'control-answer',
    action: map.text('action', 32),
    ok: map.flag('ok'),
    reason: map.text('reason', LINE_LENGTH),
  }),
};

function readFault(fault: FieldReader): Fault {
  const causes = fault.has('causes') ? fault.map('causes') : undefined;
  return {
    vcpu: fault.whole('vcpu', undefined, MAX_VCPUS),
    block: fault.text('block'),
    offset: fault.number('offset', 0),
    fault: fault.number('fault'),
    requested: fault.number('requested', 0),
    firstByte: fault.number('firstByte', 0),
    placed: fault.number('placed'),
    running: fault.number('running'),
    by: fault.choice('by', ['push', 'request']),
    causes:
      causes === undefined
        ? undefined
        : (Object.fromEntries(HOPS.map((hop) => [hop, causes.number(hop, 0)])) as Fault['causes']),
  };
}

function readResult(result: FieldReader, head: FrameHead): EndFrame {
  const times = result.has('times') ? result.map('times') : undefined;
  const marks = result.has('marks') ? result.map('marks') : undefined;
  return {
    ...head,
    kind: 'result',
    status: result.name('status', 32),
    guestVerified: result.flag('guestVerified'),
    verification: result.text('guestVerification', LINE_LENGTH),
    error: result.has('error') ? result.map('error').text('message', LINE_LENGTH) : '',
    downtimeNs: times?.numberOrNull('downtimeNs') ?? null,
    totalNs: times?.numberOrNull('totalNs') ?? null,
    guestStoppedNs: marks?.numberOrNull('guestStoppedNs') ?? null,
    guestRunningNs: marks?.numberOrNull('guestRunningNs') ?? null,
  };
}

function readLink(link: FieldReader): HelloFrame['link'] {
  return { bytesPerSecond: link.number('bytesPerSecond'), rttNs: link.number('rttNs', 0) };
}
