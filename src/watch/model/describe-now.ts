// Says in one sentence what is happening at a moment of a run, in words of the glossary.
import { type EndState, HOPS } from './frame.ts';
import { PRESENT_CODES } from './page-codes.ts';
import { bytesText, durationText, percentText } from './quantities.ts';
import type { RunModel } from './run-model.ts';
import { lastAt } from './time-order.ts';

/** Bytes at the destination, of all. */
export interface Presence {
  readonly presentBytes: number;
  readonly totalBytes: number;
}

/** How much of the guest's RAM is at the destination at a moment. */
export function presenceAt(run: RunModel, at: number): Presence {
  const { hello, pages } = run.ends.destination;
  let presentBytes = 0;
  for (const map of pages.stateAt(at).values()) {
    presentBytes += map.unitBytes * PRESENT_CODES.reduce<number>((sum, code) => sum + map.counts[code]!, 0);
  }
  const totalBytes = hello?.blocks.reduce((sum, block) => sum + block.lengthBytes, 0) ?? 0;
  return { presentBytes: Math.min(presentBytes, totalBytes), totalBytes };
}

/** The state of each end at a moment; undefined for an end that is not joined. */
export function statesAt(run: RunModel, at: number): Record<'source' | 'destination', EndState | undefined> {
  return {
    source: lastAt(run.ends.source.states, at)?.state,
    destination: lastAt(run.ends.destination.states, at)?.state,
  };
}

const PRECOPY_WORDS = 'The guest runs at the source while its memory is sent';

/** One sentence about a moment. */
export function describeMoment(run: RunModel, at: number): string {
  if (!run.hasBegun) return 'Nothing has been seen of a migration yet.';
  const { source, destination } = statesAt(run, at);
  const ended = describeEnd(run, at, source, destination);
  if (ended !== undefined) return ended;
  if (source === 'postcopy-paused' || destination === 'postcopy-paused') {
    return 'The connection broke in postcopy: the guest is at the destination without all of its memory, and waits.';
  }
  if (source === 'postcopy-active' || destination === 'postcopy-active') return describePostcopy(run, at);
  if (source === 'device' || destination === 'device') {
    return 'Switchover: the guest stands still while the state of its devices is carried to the destination.';
  }
  if (source === 'active' || destination === 'active') return describePrecopy(run, at);
  if (source === 'setup' || destination === 'setup') {
    return 'The two ends set up the migration: they compare their RAM blocks and agree on page sizes.';
  }
  if (run.ends.source.hello?.hold) return 'The guest runs at the source; the migration waits to be started.';
  return source === undefined
    ? 'The destination listens and waits for a source to connect.'
    : 'The guest runs at the source, and the migration has not begun.';
}

function describeEnd(
  run: RunModel,
  at: number,
  source: EndState | undefined,
  destination: EndState | undefined,
): string | undefined {
  const { ends } = run;
  const states = [source, destination];
  if (states.includes('failed')) {
    const { reason = '' } =
      [lastAt(ends.source.states, at), lastAt(ends.destination.states, at)].find(
        (entry) => entry?.state === 'failed' && entry.reason !== '',
      ) ?? {};
    const isLost = states.includes('postcopy-active');
    const where = isLost ? '' : ', and the guest goes on at the source';
    const short = reason.length > 110 ? `${reason.slice(0, 110)}…` : reason;
    return `The migration failed${where}${short === '' ? '' : `: ${short}`}`.replace(/\.?$/, '.');
  }
  if (states.includes('cancelled')) return 'The migration was cancelled; the guest goes on at the source.';
  const known = states.filter((state) => state !== undefined);
  if (known.length === 0 || known.some((state) => state !== 'completed')) return undefined;
  const proof = lastAt(ends.destination.results, at);
  if (proof?.guestVerified) {
    return 'Completed and verified: all memory is at the destination, equal byte for byte to a guest that never moved.';
  }
  if (proof === undefined) return 'All memory has arrived; the guest is proved against one that never moved.';
  return `Completed, but not verified: ${proof.verification || 'nobody proved the memory'}.`;
}

function describePrecopy(run: RunModel, at: number): string {
  const pass = lastAt(run.ends.source.passes, at);
  if (pass === undefined) return `${PRECOPY_WORDS} for the first time.`;
  const expected = pass.expectedDowntimeNew;
  const cost = expected === null ? '' : `; to stop it now would cost ${durationText(expected)}`;
  return `${PRECOPY_WORDS} again where it wrote: ${bytesText(pass.remaining)} left after pass ${pass.index}${cost}.`;
}

function describePostcopy(run: RunModel, at: number): string {
  const { presentBytes, totalBytes } = presenceAt(run, at);
  const share =
    totalBytes === 0 ? '' : ` with ${percentText(presentBytes / totalBytes)} of its memory in place`;
  const sample = lastAt(run.ends.destination.vcpus, at);
  const standing = sample?.list.filter((vcpu) => vcpu.since > 0 || vcpu.block !== '') ?? [];
  const paused = lastAt(run.ends.source.rates, at)?.pushPaused
    ? ' The push is paused: only requested pages are sent.'
    : '';
  const longest = standing.reduce((most, vcpu) => Math.max(most, at - vcpu.since), 0);
  if (standing.length > 0) {
    const count = sample!.list.length;
    const who =
      standing.length === count && count > 1
        ? count === 2
          ? 'both vCPUs'
          : `all ${count} vCPUs`
        : `${standing.length} of ${count} vCPUs`;
    const since = longest > 1e6 && longest < 3600e9 ? `, one for ${durationText(longest)}` : '';
    return `The guest runs at the destination${share}; ${who} stand${standing.length === 1 ? 's' : ''} still for a page that has not come${since}.${paused}`;
  }
  return `The guest runs at the destination${share}; the rest is pushed, and asked for where a vCPU needs it.${paused}`;
}

/** What each part of a stall is, for a person. */
export const PART_WORDS: Readonly<Record<string, { readonly name: string; readonly doc: string }>> = {
  trap: { name: 'trap', doc: 'from the touch until the request was written' },
  requestWay: { name: 'request on its way', doc: 'the request travels to the source' },
  sourceWait: { name: 'wait at the source', doc: 'what the source had begun to send goes first' },
  wire: { name: 'wire', doc: 'the first piece of the page travels' },
  restOfPage: {
    name: 'rest of the page',
    doc: 'all of the host page must come before any of it may be used',
  },
  copy: { name: 'copy', doc: 'the last piece is put in its place' },
  wake: { name: 'wake', doc: 'the page is there, until the vCPU runs again' },
  asked: { name: 'request to first byte', doc: 'the request, the source, and the wire' },
  came: { name: 'rest of the page', doc: 'from its first byte until it was placed as a whole' },
  request: { name: 'by request', doc: 'the page came because it was asked for' },
  push: { name: 'by push', doc: 'the page was on its way already' },
};

/** All causes that a stall may be coloured by, in the order of the legend. */
export const CAUSE_ORDER = [...HOPS, 'request', 'push'] as const;
