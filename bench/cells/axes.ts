// The axes of a cell: what may vary, what stands where nothing is said, and what each means.
import { GUEST_PROGRAM_NAMES, MAX_VCPUS } from '../../src/machine/vcpu-state.ts';
import { findPush, PUSH_NAMES } from '../../src/source/push/strategies.ts';
import {
  type CellValue,
  either,
  PAGE,
  RATE,
  SIZE,
  SWITCH,
  TIME,
  type ValueKind,
  wholeNumber,
  word,
} from './axis-values.ts';

/** One axis. */
export interface Axis {
  readonly kind: ValueKind;
  readonly default: CellValue;
  readonly doc: string;
}

const U32 = 2 ** 32 - 1;
const PROGRAMS = GUEST_PROGRAM_NAMES.filter((name) => name !== 'trace');
/** A guest that replays a trace names it after this. */
export const TRACE_PREFIX = 'trace:';

const GUEST: ValueKind = {
  expects: `${word(...PROGRAMS).expects}, or \`${TRACE_PREFIX}PATH\` of a trace, from the root of the repository`,
  read: (value) => {
    const isTrace =
      typeof value === 'string' && value.startsWith(TRACE_PREFIX) && value.length > TRACE_PREFIX.length;
    return isTrace ? value : word(...PROGRAMS).read(value);
  },
};

const PUSH: ValueKind = {
  expects: word(...PUSH_NAMES).expects,
  read: (value) => (typeof value === 'string' && findPush(value) !== undefined ? value : undefined),
};

const AFTER: ValueKind = either('now', wholeNumber(1, 1000));

/** All axes by name, in the order in which tables show them. The defaults are part of what a result means: results of cells name only what differs from them. */
export const AXES = {
  'source-page': { kind: PAGE, default: '4K', doc: 'host page at the source' },
  'destination-page': { kind: PAGE, default: '4K', doc: 'host page at the destination' },
  'placement-page': {
    kind: either('host', PAGE),
    default: 'host',
    doc: 'unit that the destination places at once: its host page, or smaller',
  },
  link: {
    kind: either('none', RATE),
    default: 'none',
    doc: 'rate of the emulated link; none is the loopback',
  },
  rtt: { kind: TIME, default: '0us', doc: 'round trip of the emulated link' },
  channels: {
    kind: wholeNumber(1, 2),
    default: 1,
    doc: '2: requested pages have a channel of their own (preempt)',
  },
  'break-huge': {
    kind: SWITCH,
    default: true,
    doc: 'with 2 channels: whether a request interrupts the background page under way',
  },
  push: {
    kind: PUSH,
    default: 'forward',
    doc: 'what is sent unasked; `recorded` runs each time once more before, with `none`, to learn the faults',
  },
  'push-after': {
    kind: wholeNumber(1, 60_000),
    default: 1000,
    doc: 'with push `none`: ms without a request after which the rest is pushed',
  },
  'push-rest-first': {
    kind: SWITCH,
    default: true,
    doc: 'with smaller placement pages: whether the rest of a requested host page is pushed before anything else',
  },
  'push-piece': {
    kind: either('none', PAGE),
    default: 'none',
    doc: 'pushed in whole pieces of this size; none is by placement pages',
  },
  'postcopy-after': {
    kind: AFTER,
    default: 'now',
    doc: 'passes of precopy before the switchover; never finished as precopy',
  },
  ram: { kind: SIZE, default: '256M', doc: 'RAM of the guest, one block' },
  vcpus: { kind: wholeNumber(1, MAX_VCPUS), default: 1, doc: 'vCPUs of the guest' },
  guest: { kind: GUEST, default: 'random', doc: 'what each vCPU does' },
  rate: { kind: wholeNumber(0, U32), default: 20_000, doc: 'accesses a second of each vCPU; 0 is flat out' },
  'write-percent': { kind: wholeNumber(0, 100), default: 50, doc: 'writes per hundred accesses' },
  'zero-percent': {
    kind: wholeNumber(0, 100),
    default: 0,
    doc: 'zero pages per hundred at the start; they are short on the wire',
  },
  seed: { kind: wholeNumber(0, U32), default: 1, doc: 'seed of the guest and its RAM' },
  'warm-up': {
    kind: wholeNumber(0, 60_000),
    default: 100,
    doc: 'ms that the guest runs before the migration',
  },
  touch: {
    kind: word('none', 'ascending', 'descending', 'random'),
    default: 'none',
    doc: 'touch all RAM at the destination, as one more vCPU would',
  },
  'max-flight': {
    kind: either('auto', SIZE),
    default: 'auto',
    doc: 'background bytes that may be under way; 0 is without bounds, as in QEMU',
  },
  'max-bandwidth': { kind: SIZE, default: '0', doc: 'bytes a second before the switchover; 0 is unlimited' },
  'max-postcopy-bandwidth': { kind: SIZE, default: '0', doc: 'the same for background pages after it' },
  'collapse-cost': {
    kind: wholeNumber(0, U32),
    default: 0,
    doc: 'with smaller placement pages: us that a collapse takes',
  },
  'collapse-at': {
    kind: either('none', PAGE),
    default: 'none',
    doc: 'with smaller placement pages: a size that they are collapsed into on the way to the host page',
  },
  mmu: { kind: word('radix', 'hash'), default: 'radix', doc: 'MMU of the guest' },
  'guest-page': {
    kind: either('none', PAGE),
    default: 'none',
    doc: 'largest page that a hash guest may use',
  },
  'allow-broken': {
    kind: SWITCH,
    default: false,
    doc: 'whether a hash guest may run on host pages that are still in pieces',
  },
  negotiate: { kind: SWITCH, default: true, doc: 'host page negotiation at both ends' },
  profile: { kind: word('strict', '7.2', '10.x'), default: 'strict', doc: 'profile of both ends' },
  prealloc: { kind: SWITCH, default: true, doc: 'whether the destination commits its RAM before' },
  verify: { kind: SWITCH, default: true, doc: 'whether the guest is proved; it needs RAM once more' },
  expect: {
    kind: word('completed', 'refused'),
    default: 'completed',
    doc: 'what should come of it; anything else is a failure',
  },
} as const satisfies Readonly<Record<string, Axis>>;

/** Name of an axis. */
export type AxisName = keyof typeof AXES;

/** All names, in order. */
export const AXIS_NAMES = Object.keys(AXES) as AxisName[];

/** A point of a matrix: a value on every axis. */
export type Cell = Readonly<Record<AxisName, CellValue>>;

/** The cell where nothing is said. */
export const DEFAULT_CELL = Object.fromEntries(
  AXIS_NAMES.map((name) => [name, AXES[name].default]),
) as unknown as Cell;

/** Whether a name is that of an axis. */
export function isAxis(name: string): name is AxisName {
  return Object.hasOwn(AXES, name);
}

/** The axes on which a cell is not the default. */
export function differing(cell: Cell): AxisName[] {
  return AXIS_NAMES.filter((name) => cell[name] !== AXES[name].default);
}
