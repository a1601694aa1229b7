// The demo's scenarios: pairs of page sizes, and what should happen.

/** One migration of a scenario. */
export interface ScenarioStep {
  readonly name: string;
  readonly expectation: string;
  readonly outcome: 'completed' | 'refused';
  /** Arguments of the two commands beside where they meet. */
  readonly source: readonly string[];
  readonly destination: readonly string[];
}

/** A scenario. */
export interface Scenario {
  readonly title: string;
  readonly steps: readonly ScenarioStep[];
}

const VCPUS = ['--smp', '2'];
/** Precopy that converges is finished as precopy (rule S45); with no downtime allowed it never does. */
const ALWAYS_POSTCOPY = ['--downtime-limit', '0'];

/** A migration that should complete, from one page size to another. */
function completes(
  from: string,
  to: string,
  source: readonly string[],
  name = 'migrate',
  destination: readonly string[] = [],
): ScenarioStep {
  return {
    name,
    expectation: `completed and verified, from ${from} host pages to ${to}`,
    outcome: 'completed',
    source: [...VCPUS, ...ALWAYS_POSTCOPY, '--host-page', from, ...source],
    destination: [...VCPUS, '--host-page', to, ...destination],
  };
}

/** All scenarios by name; the first is the default. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'power8-to-power9': {
    title: 'a POWER8 guest on 16 MiB host pages goes to a POWER9 host with 1 GiB pages',
    steps: [
      {
        name: 'without negotiation',
        expectation: 'refused by the destination as QEMU refuses it; the guest goes on at the source',
        outcome: 'refused',
        source: [
          ...VCPUS,
          '--memory',
          '2G',
          '--host-page',
          '16M',
          '--mmu',
          'hash',
          '--guest-page',
          '16M',
          '--no-negotiate',
        ],
        destination: [...VCPUS, '--host-page', '1G', '--no-negotiate'],
      },
      completes('16M', '1G', ['--memory', '2G', '--mmu', 'hash', '--guest-page', '16M'], 'with negotiation'),
    ],
  },
  thp: {
    title: '4 KiB host pages to 2 MiB',
    steps: [completes('4K', '2M', ['--memory', '512M'])],
  },
  shrink: {
    title: '1 GiB host pages to 4 KiB: a huge page arrives in small pieces',
    steps: [completes('1G', '4K', ['--memory', '1G'])],
  },
  equal: {
    title: '4 KiB host pages at both ends',
    steps: [completes('4K', '4K', ['--memory', '512M'])],
  },
  'sub-page': {
    title:
      '16 MiB host pages to 1 GiB that are placed in pieces of 4 KiB, so that no vCPU waits for all of one',
    steps: [completes('16M', '1G', ['--memory', '2G'], 'migrate', ['--placement-page', '4K'])],
  },
  mixed: {
    title:
      '16 MiB host pages to 1 GiB: 4 KiB on demand, 2 MiB pieces in the background, collapsed at 2 MiB and at 1 GiB',
    steps: [
      completes('16M', '1G', ['--memory', '2G', '--push-piece', '2M'], 'migrate', [
        ...['--placement-page', '4K'],
        ...['--collapse-at', '2M'],
      ]),
    ],
  },
  'power9-2m': {
    title: 'a hash-MMU guest with 16 MiB pages cannot go to a POWER9 host with 2 MiB pages',
    steps: [
      {
        name: 'migrate',
        expectation:
          'refused before ADVISE: the guest may use 16 MiB pages, and 2 MiB host pages cannot hold one',
        outcome: 'refused',
        source: [...VCPUS, '--memory', '512M', '--host-page', '16M', '--mmu', 'hash', '--guest-page', '16M'],
        destination: [...VCPUS, '--host-page', '2M'],
      },
    ],
  },
};
