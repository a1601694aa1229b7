// Reads the options that say what a source pushes after the switchover.
import { readFileSync } from 'node:fs';
import { OptionError } from '../errors.ts';
import type { BuiltGuest, RecordedGuest } from '../source/guest-at-source.ts';
import { BUBBLE_LIMIT } from '../source/push/bubble-round.ts';
import type { PushOptions } from '../source/push/push-phase.ts';
import type { RecordedFault } from '../source/push/push-strategy.ts';
import { findPush, PUSH_NAMES } from '../source/push/strategies.ts';
import { type Arguments, badValue, type OptionTable } from './option-table.ts';

/** The options. */
export const PUSH_OPTIONS = {
  push: {
    value: 'STRATEGY',
    doc: `what is sent unasked after the switchover: ${PUSH_NAMES.join(', ')} (N up to ${BUBBLE_LIMIT}); docs/push.md tells the order of each. forward is QEMU's`,
    default: 'forward',
  },
  'push-faults': {
    value: 'FILE',
    doc: 'for --push recorded: the result of an earlier `postcopy destination --json --faults`',
  },
  'push-after': {
    value: 'MS',
    doc: 'for --push none: push the rest once no page was requested for so long',
    default: '1000',
  },
  'push-rest-first': {
    value: 'on|off',
    doc: 'where the destination places its host pages in pieces (destination --placement-page): after a request push the rest of its host page before anything else',
    default: 'on',
  },
  'push-piece': {
    value: 'SIZE',
    doc: 'push whole aligned pieces of this size, 4K to 16G, instead of single placement pages; requests still go between (4K placement pages with --push-piece 2M: 4 KiB on demand, 2 MiB in the background)',
  },
} as const satisfies OptionTable;

/** What to push of this guest. @throws OptionError */
export function parsePush(args: Arguments, guest: BuiltGuest | RecordedGuest): PushOptions {
  const strategy = args.text('push')!;
  if (findPush(strategy) === undefined) throw badValue('push', PUSH_NAMES.join(', '), strategy);
  if (strategy !== 'recorded') args.refuse(['push-faults'], 'without --push recorded');
  if (strategy !== 'none') args.refuse(['push-after'], 'without --push none');
  if (strategy === 'none') {
    args.refuse(['push-rest-first', 'push-piece'], 'with --push none, which sends nothing unasked');
    return { strategy, quietNs: parseQuietMs(args) * 1e6 };
  }
  if (args.has('no-negotiate')) {
    args.refuse(['push-rest-first'], 'with --no-negotiate: nothing tells the host pages of the destination');
  }
  const shape = {
    restFirst: args.choice('push-rest-first', ['on', 'off']) === 'on',
    ...(args.has('push-piece') ? { pieceBytes: args.pageBytes('push-piece') } : {}),
  };
  if (strategy === 'recorded') return { ...shape, strategy, faults: readFaults(args, guest) };
  const stands = guest.kind === 'recorded' || guest.vcpuCount === 0;
  if (strategy === 'hot-first' && stands) {
    throw new OptionError(
      'option-without-effect',
      '--push hot-first has no effect on a guest that does not run here: nothing is dirtied',
    );
  }
  return { ...shape, strategy };
}

/** A destination takes a source that is silent for longer than its time-out for dead; it has that of ours, by default. */
function parseQuietMs(args: Arguments): number {
  const quietMs = args.integer('push-after', 1);
  const timeoutMs = args.integer('timeout', 1);
  if (quietMs < timeoutMs) return quietMs;
  throw badValue('push-after', `less than --timeout, ${timeoutMs}`, String(quietMs));
}

function readFaults(args: Arguments, guest: BuiltGuest | RecordedGuest): RecordedFault[] {
  const path = args.text('push-faults');
  if (path === undefined)
    throw new OptionError('missing-option', 'expected --push-faults FILE with --push recorded, found none');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new OptionError('cannot-read-push-faults', `--push-faults: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const blocks = guest.kind === 'built' ? guest.blocks : guest.ram.blocks.map(({ spec }) => spec);
  const lengths = new Map(blocks.map(({ name, lengthBytes }) => [name, lengthBytes]));
  return faultsIn(text, path, lengths);
}

/** The pages that faulted, each once, in the order of the result. */
function faultsIn(text: string, path: string, lengths: ReadonlyMap<string, number>): RecordedFault[] {
  const bad = (what: string): OptionError => new OptionError('bad-push-faults', `${path}: ${what}`);
  let listed: unknown;
  try {
    listed = (JSON.parse(text) as { faults?: unknown } | null)?.faults;
  } catch (error) {
    throw bad((error as Error).message);
  }
  if (!Array.isArray(listed)) throw bad('expected the faults of a destination with --faults, found none');
  const byPage = new Map<string, RecordedFault>();
  for (const [index, fault] of listed.entries()) {
    const { block, hostPage, pageBytes } = (fault ?? {}) as Record<string, unknown>;
    const isFault =
      typeof block === 'string' &&
      Number.isSafeInteger(hostPage) &&
      Number.isSafeInteger(pageBytes) &&
      (hostPage as number) >= 0 &&
      (pageBytes as number) > 0;
    if (!isFault) throw bad(`expected block, hostPage and pageBytes in fault ${index}, found something else`);
    const length = pageBytes as number;
    const start = (hostPage as number) * length;
    const blockLength = lengths.get(block);
    if (blockLength === undefined || start + length > blockLength) {
      const found = `${start}+${length} of '${block}' in fault ${index}`;
      throw bad(`expected pages of the guest that is to be migrated, found ${found}`);
    }
    const key = `${start} ${length} ${block}`;
    if (!byPage.has(key)) byPage.set(key, { block, start, length });
  }
  return [...byPage.values()];
}
