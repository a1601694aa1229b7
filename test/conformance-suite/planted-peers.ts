// Runs the suite against peers of this process: good ones, or with a fault planted in them.
import type { Peer, PeerSource } from '../../src/conformance/peer.ts';
import type { Role, RuleResult } from '../../src/conformance/rule.ts';
import { rulesOf } from '../../src/conformance/rules.ts';
import { runSuite } from '../../src/conformance/run-suite.ts';
import type { LayoutBlock, Subject } from '../../src/conformance/subject.ts';
import type { Profile } from '../../src/protocol/profile.ts';
import type { ChannelUri } from '../../src/transport/uri.ts';
import { type DestinationFault, InProcessDestination } from './destination-in-process.ts';
import { InProcessSource, SOURCE_VARIANTS, type SourceFault } from './source-in-process.ts';

/** A fault, and which end has it. */
export type PlantedFault =
  | { readonly role: 'destination'; readonly fault: DestinationFault }
  | { readonly role: 'source'; readonly fault: SourceFault };

/** Large and small host pages; little RAM, so that a run is over soon. */
const BLOCKS: Readonly<Record<Role, readonly LayoutBlock[]>> = {
  destination: [
    { name: 'ram0', lengthBytes: 256 * 1024, hostPageBytes: 16 * 1024 },
    { name: 'ram1', lengthBytes: 64 * 1024, hostPageBytes: 4096 },
  ],
  source: [
    { name: 'ram0', lengthBytes: 2 ** 20, hostPageBytes: 4096 },
    { name: 'ram1', lengthBytes: 512 * 1024, hostPageBytes: 16 * 1024 },
  ],
};
/** What a peer with a fault has not done by then it never does; a good one has the time that a busy machine takes. */
const TIMEOUT_MS = { faulty: 1000, good: 20_000 } as const;
const JOBS = 4;

function start({ role, fault }: PlantedFault, uri: ChannelUri, variant: string | undefined): Peer {
  return role === 'destination'
    ? new InProcessDestination(uri, BLOCKS.destination, fault, variant === 'preempt')
    : new InProcessSource(uri, BLOCKS.source, fault, variant);
}

function variantsOf(role: Role): readonly string[] {
  return role === 'destination' ? ['preempt'] : SOURCE_VARIANTS;
}

/** The results of some rules, or of all of the role, against a peer with a fault. */
export async function runAgainst(
  planted: PlantedFault,
  { ids, profile = 'strict' }: { readonly ids?: readonly string[]; readonly profile?: Profile } = {},
): Promise<RuleResult[]> {
  const { role } = planted;
  const hasVariant = (variant: string): boolean => variantsOf(role).includes(variant);
  const subject: Subject = {
    role,
    profile,
    machine: 'none',
    blocks: BLOCKS[role],
    recorded: undefined,
    requests: role === 'destination',
    timeoutMs: Object.keys(planted.fault).length === 0 ? TIMEOUT_MS.good : TIMEOUT_MS.faulty,
    hasVariant,
  };
  const peers: PeerSource = {
    fixedUri: undefined,
    scheme: 'unix',
    hasVariant,
    start: (uri, variant) => start(planted, uri, variant),
  };
  const rules = rulesOf(role).filter(({ id }) => ids?.includes(id) !== false);
  const { signal } = new AbortController();
  const results: RuleResult[] = [];
  for await (const result of runSuite({ subject, peers, rules, jobs: JOBS, signal })) results.push(result);
  return results;
}

/** Ids of the rules that failed. */
export function caught(results: readonly RuleResult[]): string[] {
  return results.filter(({ verdict }) => verdict === 'failed').map(({ rule }) => rule.id);
}
