// A small migration cut at every byte: each cut is an error that says where, and no vCPU sees a part of a page.
import t from 'tap';
import { MigrationError } from '../../src/errors.ts';
import { PAGE_STATE } from '../../src/machine/page-state.ts';
import type { RamImage } from '../../src/machine/ram-block.ts';
import { IncomingRig, thrownBy } from '../destination/incoming-rig.ts';
import { recordTiny, tinyRigOptions } from './recorded-migration.ts';

/** A present page is as at the source, and a page that is not present holds zeros where a fault would read them. */
function visibleFault(rig: IncomingRig, source: RamImage, isPostcopy: boolean): string | undefined {
  for (const [index, block] of rig.image?.blocks.entries() ?? []) {
    const original = source.blocks[index]!;
    for (let hostPage = 0; hostPage < block.hostPageCount; hostPage += 1) {
      const isPresent = block.pageState(hostPage) === PAGE_STATE.PRESENT;
      for (let i = 0; i < block.targetPagesPerHostPage; i += 1) {
        const page = hostPage * block.targetPagesPerHostPage + i;
        const equals = Buffer.compare(block.targetPageBytes(page), original.targetPageBytes(page)) === 0;
        if (isPresent && !equals) return `${block.name}: target page ${page} is visible and wrong`;
        if (!isPresent && isPostcopy && !block.isZeroPage(page))
          return `${block.name}: target page ${page} is left over of a host page that never became whole`;
      }
    }
  }
  return undefined;
}

for (const kind of ['postcopy', 'precopy'] as const) {
  t.test(`a ${kind} migration cut at every byte`, (t) => {
    const { bytes, image } = recordTiny(kind);
    const rig = new IncomingRig(tinyRigOptions());
    rig.push(bytes);
    rig.migration.end();
    t.ok(rig.migration.isComplete, 'uncut it completes');
    t.equal(visibleFault(rig, image, true), undefined);

    const faults: string[] = [];
    const states = new Set<string>();
    let completeFrom = bytes.length;
    for (let cut = 0; cut < bytes.length; cut += 1) {
      const rig = new IncomingRig(tinyRigOptions());
      const error = thrownBy(() => {
        rig.push(bytes.subarray(0, cut));
        rig.migration.end();
      });
      if (error === undefined) {
        // Once all has come nothing more is needed: precopy may be cut between EOF and the description.
        if (rig.migration.isComplete) completeFrom = Math.min(completeFrom, cut);
        else faults.push(`cut at ${cut}: no error and not complete`);
        continue;
      }
      if (rig.migration.isComplete) continue; // the description is cut, and the guest runs
      const { code, offset, stream } = error as MigrationError;
      if (!(error instanceof MigrationError) || code !== 'truncated' || offset === undefined)
        faults.push(`cut at ${cut}: ${String(error)} (${code}, ${offset})`);
      else if (stream === 'main' && offset !== cut) faults.push(`cut at ${cut}: says ${offset}`);
      const isPostcopy = rig.migration.tally?.isPostcopy === true;
      const before = rig.cell.state;
      const after = rig.migration.fail();
      states.add(`${before} -> ${after}`);
      const fault = visibleFault(rig, image, isPostcopy);
      if (fault !== undefined) faults.push(`cut at ${cut}: ${fault}`);
    }
    t.same(faults, []);
    const expected =
      kind === 'postcopy'
        ? ['none -> failed', 'advise -> failed', 'discard -> failed', 'running -> paused']
        : ['none -> failed'];
    t.same([...states], expected, 'before RUN it failed, after it paused');
    t.ok(completeFrom > bytes.length - 1000, `complete from byte ${completeFrom} of ${bytes.length}`);
    t.end();
  });
}
