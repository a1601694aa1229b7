// Kills one wire rule at a time at the source: each broken source is caught, and what it broke is named.
import t from 'tap';
import { MigrationError } from '../../src/errors.ts';
import { PAGE_STATE } from '../../src/machine/page-state.ts';
import { IncomingRig, type RigOptions, thrownBy } from '../destination/incoming-rig.ts';
import { BROKEN_SOURCES } from './broken-sources.ts';
import { fillByte, HOST_PAGE, honestSource, PAGE, type Piece } from './scripted-source.ts';

const RIG: RigOptions = { hostPageBytes: HOST_PAGE, byName: new Map([['vga.vram', PAGE]]) };

/** Feeds the pieces one by one; returns the error and the piece at which it came. */
function feed(rig: IncomingRig, pieces: readonly Piece[]): { error: unknown; at: string } {
  for (const { label, bytes } of pieces) {
    const error = thrownBy(() => rig.push(bytes));
    if (error !== undefined) return { error, at: label };
  }
  return { error: thrownBy(() => rig.migration.end()), at: 'the end' };
}

t.test('the source that keeps every rule', (t) => {
  const rig = new IncomingRig(RIG);
  const { error } = feed(rig, honestSource());
  t.equal(error, undefined);
  t.ok(rig.migration.isComplete);
  t.same(rig.replyNames, [
    'HOST_PAGE ',
    'HOST_PAGE vga.vram',
    'PONG 1213223729',
    'PONG 2',
    'PONG 3',
    'PONG 4',
    'SHUT 0',
  ]);
  for (const block of rig.image!.blocks) {
    for (let page = 0; page < block.targetPageCount; page += 1) {
      const expected = Buffer.alloc(PAGE, fillByte(block.name, page));
      t.equal(Buffer.compare(block.targetPageBytes(page), expected), 0, `${block.name} page ${page}`);
    }
  }
  t.end();
});

for (const { what, pieces, code, rule, says, ends } of BROKEN_SOURCES) {
  t.test(what, (t) => {
    const rig = new IncomingRig(RIG);
    const { error, at } = feed(rig, pieces);
    t.ok(error instanceof MigrationError, `caught at '${at}': ${String(error)}`);
    const caught = error as MigrationError;
    t.equal(caught.code, code, caught.message);
    t.equal(caught.rule, rule);
    t.match(caught.message, says);
    t.equal(rig.migration.isComplete, false);
    t.equal(rig.migration.fail(), ends);
    for (const block of rig.image?.blocks ?? []) {
      for (let page = 0; page < block.targetPageCount; page += 1) {
        const hostPage = Math.floor(page / block.targetPagesPerHostPage);
        if (block.pageState(hostPage) !== PAGE_STATE.PRESENT) continue;
        const found = block.targetPageBytes(page)[0];
        t.equal(found, fillByte(block.name, page), `${block.name}: visible page ${page} is whole`);
      }
    }
    t.end();
  });
}
