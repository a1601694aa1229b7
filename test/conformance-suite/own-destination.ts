// Destinations as `postcopy destination` runs them, but in this process, so that a suite of them takes a minute.
import type { Peer, PeerEnd, PeerSource } from '../../src/conformance/peer.ts';
import type { Subject } from '../../src/conformance/subject.ts';
import { Destination } from '../../src/destination/run-destination.ts';
import type { Profile } from '../../src/protocol/profile.ts';

const MIB = 2 ** 20;
/** Large pages behind one block, and small ones behind the other. */
const BLOCKS = [
  { name: 'ram0', lengthBytes: 8 * MIB, hostPageBytes: 2 * MIB },
  { name: 'ram1', lengthBytes: MIB / 4, hostPageBytes: 4096 },
];
const TIMEOUT_MS = 20_000;
const EXIT_CODES: Readonly<Record<string, number>> = {
  completed: 0,
  failed: 1,
  cancelled: 3,
  'postcopy-paused': 4,
};

/** Our destination, as a suite is told of it. */
export function ownDestination(profile: Profile): Subject {
  return {
    role: 'destination',
    profile,
    machine: 'none',
    blocks: BLOCKS,
    recorded: undefined,
    requests: true,
    timeoutMs: TIMEOUT_MS,
    hasVariant: (variant) => variant === 'preempt',
  };
}

/** A destination for each run. */
export function ownDestinations(profile: Profile): PeerSource {
  return {
    fixedUri: undefined,
    scheme: 'unix',
    hasVariant: (variant) => variant === 'preempt',
    start(uri, variant): Peer {
      const destination = new Destination({
        origin: { kind: 'listen', uri },
        profile,
        machine: 'none',
        hostPageBytes: 4096,
        hostPageByName: new Map(),
        placementBytes: undefined,
        collapseNs: 0,
        floor: undefined,
        layout: BLOCKS.map((block) => ({ ...block, kind: 'system' as const })),
        acceptsUnknownDevices: false,
        negotiate: true,
        preempt: variant === 'preempt',
        preallocates: false,
        vcpuCount: 0,
        ramImagePath: undefined,
        touch: { order: 'random', seed: 1 },
        timeoutMs: TIMEOUT_MS,
        recordPath: undefined,
        keepsFaults: false,
        verify: false,
      });
      const peer = {
        hasEnded: false,
        ended: destination.run().then(({ result }): PeerEnd => {
          peer.hasEnded = true;
          const { status, ramSha256, error } = result;
          return {
            exitCode: EXIT_CODES[status],
            status,
            ramSha256,
            guestRuns: undefined,
            lastWords: error?.message ?? '',
          };
        }),
        stop(): Promise<PeerEnd> {
          if (!peer.hasEnded) destination.cancel();
          return peer.ended;
        },
      };
      return peer;
    },
  };
}
