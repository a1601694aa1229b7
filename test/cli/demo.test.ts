// Every scenario of the demo, as large as it is shipped, one after the other: each needs up to twice 2 GiB of RAM.
import t, { type Test } from 'tap';
import { SCENARIOS } from '../../src/cli/scenarios.ts';
import type { DemoResult, MigrationResult, NegotiatedBlock } from '../../src/telemetry/result.ts';
import { runProgram } from './run-program.ts';
import { validateResult } from './validate-result.ts';

// Two guests of 2 GiB and a third to compare with: on a busy machine that takes minutes.
t.setTimeout(600_000);

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

async function demo(scenario: string): Promise<{ result: DemoResult; exitCode: number | null }> {
  const { exitCode, stdout } = await runProgram('demo', '--scenario', scenario, '--json');
  const result = validateResult<DemoResult>(stdout);
  for (const { source, destination } of result.steps) {
    validateResult(JSON.stringify(source));
    validateResult(JSON.stringify(destination));
  }
  return { result, exitCode };
}

interface Expected {
  readonly ramBytes: number;
  readonly sourcePage: number;
  readonly destinationPage: number;
  /** Where it is smaller than the host page: the pieces that a host page is placed in. */
  readonly placementPage?: number;
  /** Where these are collapsed in between too. */
  readonly collapsePage?: number;
  /** Whether rounding to placement pages must have thrown away pages that were sent and clean. */
  readonly amplifies: boolean;
}

function checkMoved(t: Test, { pages, bytes }: MigrationResult, { ramBytes, amplifies }: Expected): void {
  t.ok(pages.precopy! > 0);
  t.ok(pages.postcopyBackground! + pages.requested! > 0, 'pages came after the switchover');
  t.equal(pages.duplicate, 0);
  t.ok(bytes.discarded! > 0);
  t.ok(bytes.amplified! <= bytes.discarded! && bytes.discarded! <= ramBytes + 16 * MIB);
  t.equal(bytes.amplified! > 0, amplifies, `amplified ${bytes.amplified}`);
}

/** 4 KiB on demand, larger pieces in the background, and each of these made one when it is full. */
function checkMixed(
  t: Test,
  source: MigrationResult,
  { collapses }: MigrationResult,
  { ramBytes, collapsePage }: Expected,
): void {
  if (collapsePage === undefined) return;
  const [step] = collapses!.steps;
  t.match(step, { pageBytes: collapsePage, brokenCount: 0 });
  // Pages of the level between that precopy brought whole, and nobody wrote since, were never in pieces.
  t.ok(step!.count > 0 && step!.count <= ramBytes / collapsePage, `${step!.count} collapsed`);
  t.ok(step!.inPiecesMaxNs <= collapses!.inPiecesMaxNs, 'for no longer than a host page');
  const { pieceBytes, pieces } = source.push!;
  t.equal(pieceBytes, collapsePage);
  t.ok(pieces! > 0 && pieces! <= (ramBytes + 16 * MIB) / collapsePage, `${pieces} pieces`);
}

function checkCompleted(t: Test, result: DemoResult, expected: Expected): void {
  const { ramBytes, sourcePage, destinationPage, placementPage = destinationPage } = expected;
  t.equal(result.status, 'completed');
  t.equal(result.guestVerified, true);
  t.equal(result.error, undefined);
  const { source, destination } = result.steps.at(-1)!;
  t.equal(source?.status, 'completed');
  t.equal(source?.guestAtSource, null, 'the guest left');
  t.equal(destination?.guestVerified, true);
  t.strictSame(Object.keys(result.ramSha256), ['pc.ram', 'vga.vram']);
  const block = (name: string, from: number, to: number, placed: number): NegotiatedBlock => ({
    block: name,
    sourceHostPageBytes: from,
    destinationHostPageBytes: to,
    placementPageBytes: placed,
  });
  t.strictSame(result.negotiated, [
    block('pc.ram', sourcePage, destinationPage, placementPage),
    block('vga.vram', 4 * KIB, 4 * KIB, 4 * KIB),
  ]);
  const wholePages = ramBytes / destinationPage;
  t.match(
    destination?.collapses,
    placementPage === destinationPage ? undefined : { count: wholePages, brokenCount: 0 },
  );
  if (placementPage !== destinationPage) t.ok(result.push!.restFirstHostPages! >= 1, 'finished first');
  checkMixed(t, source!, destination!, expected);
  checkMoved(t, result, expected);
  t.equal(result.bytes.wire, destination?.bytes.wire, 'both ends count the same bytes');
  t.ok(result.bytes.wire! > ramBytes / 2);
  t.ok(result.times.downtimeNs! > 0 && result.times.downtimeNs! < result.times.totalNs);
  t.ok(result.times.phases['postcopy-active']! > 0);
  t.ok(result.passes.length > 0);
  t.ok(result.stalls!.count > 0, 'vCPUs waited for pages');
  t.ok(result.stalls!.requests > 0);
  const { causes, totalNs } = result.stalls!;
  t.equal(
    Object.values(causes.totalsNs).reduce((sum, ns) => sum + ns, 0),
    totalNs,
    'the causes of all stalls add up to them',
  );
  t.equal(causes.clock?.isOneClock, true, 'as the shortest round trip says too');
  t.match(causes, { clippedCount: 0, totalsNs: { untold: 0 } });
  t.equal(causes.totalsNs.restOfPage > 0, placementPage > 4 * KIB, 'only a large page has a rest');
  const ofRam = result.stalls!.perBlock.find(({ block }) => block === 'pc.ram');
  t.equal(ofRam?.pageBytes, placementPage);
  t.ok(result.guest!.vcpus.length === 2 && result.guest!.vcpus.every(({ count }) => count > 0));
}

const COMPLETED: Readonly<Record<string, Expected>> = {
  'power8-to-power9': { ramBytes: 2 * GIB, sourcePage: 16 * MIB, destinationPage: GIB, amplifies: true },
  thp: { ramBytes: 512 * MIB, sourcePage: 4 * KIB, destinationPage: 2 * MIB, amplifies: true },
  shrink: { ramBytes: GIB, sourcePage: GIB, destinationPage: 4 * KIB, amplifies: false },
  equal: { ramBytes: 512 * MIB, sourcePage: 4 * KIB, destinationPage: 4 * KIB, amplifies: false },
  'sub-page': {
    ramBytes: 2 * GIB,
    sourcePage: 16 * MIB,
    destinationPage: GIB,
    placementPage: 4 * KIB,
    amplifies: false,
  },
  mixed: {
    ramBytes: 2 * GIB,
    sourcePage: 16 * MIB,
    destinationPage: GIB,
    placementPage: 4 * KIB,
    collapsePage: 2 * MIB,
    amplifies: false,
  },
};

for (const [scenario, expected] of Object.entries(COMPLETED)) {
  t.test(scenario, async (t) => {
    const { result, exitCode } = await demo(scenario);
    t.equal(exitCode, 0);
    t.equal(result.scenario, scenario);
    for (const step of result.steps) t.equal(step.met, true, `step '${step.name}': ${step.expectation}`);
    checkCompleted(t, result, expected);
    if (scenario !== 'power8-to-power9') return;
    const [refused] = result.steps;
    t.match(refused?.destination?.error, {
      code: 'page-sizes-differ',
      message: 'Postcopy needs matching RAM page sizes (s=1001000 d=40001000)',
    });
    t.equal(refused?.source?.guestAtSource?.isProved, true, 'the guest went on at the source, unharmed');
    t.ok(refused!.source!.guestAtSource!.accessesSince > 0);
  });
}

t.test('power9-2m is refused for the reason that Gibson gave', async (t) => {
  const { result, exitCode } = await demo('power9-2m');
  t.equal(exitCode, 1);
  t.equal(result.status, 'failed');
  t.equal(result.guestVerified, false);
  t.equal(result.error?.code, 'mmu-refused');
  t.match(
    result.error?.message,
    /^RAM block 'pc\.ram': with the hash MMU a page that the guest uses must be contiguous in host memory, so a 16M guest page cannot be backed by 2M host pages$/,
  );
  const [step] = result.steps;
  t.equal(step?.met, true);
  t.match(
    step?.source?.negotiated[0],
    { block: 'pc.ram', destinationHostPageBytes: 2 * 2 ** 20, placementPageBytes: null },
    'the size that it was told, refused or not',
  );
  t.equal(step?.source?.guestAtSource?.isProved, true);
  t.ok(step!.source!.guestAtSource!.accessesSince > 0);
  t.match(
    step?.destination?.error,
    { code: 'source-left', message: result.error!.message },
    'told at both ends',
  );
  t.equal(result.pages.precopy, 0, 'before a single page');
});

t.test('the scenarios are these', async (t) => {
  t.strictSame(Object.keys(SCENARIOS), [...Object.keys(COMPLETED), 'power9-2m']);
});
