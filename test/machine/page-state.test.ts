// The host page's table, and RAM blocks that must keep to it.

import t from 'tap';
import {
  nextPageState,
  PAGE_STATE,
  PAGE_STATE_NAMES,
  PAGE_TRANSITIONS,
  type PageEvent,
  type PageStateName,
} from '../../src/machine/page-state.ts';
import { RamBlock } from '../../src/machine/ram-block.ts';

const PAGE_BYTES = 8192;
const EVENTS: readonly PageEvent[] = ['claim', 'publish', 'discard'];

function blockIn(state: PageStateName): RamBlock {
  const spec = {
    name: 'pc.ram',
    lengthBytes: 3 * PAGE_BYTES,
    hostPageBytes: PAGE_BYTES,
    kind: 'system',
  } as const;
  const block = RamBlock.allocate(spec, 'missing');
  if (state === 'requested') block.claim(1);
  if (state === 'present') block.publish(1);
  return block;
}

/** Does the event to page 1 and tells whether the block took it. */
function perform(block: RamBlock, event: PageEvent): boolean {
  if (event === 'claim') return block.claim(1);
  if (event === 'discard') block.discardRange(PAGE_BYTES, PAGE_BYTES);
  else block.publish(1);
  return true;
}

t.test('a RAM block does with each state and event what the table says', (t) => {
  for (const state of PAGE_STATE_NAMES) {
    for (const event of EVENTS) {
      const next = (PAGE_TRANSITIONS[state] as Partial<Record<PageEvent, PageStateName>>)[event];
      const block = blockIn(state);
      t.equal(PAGE_STATE_NAMES[block.pageState(1)], state);
      t.equal(perform(block, event), next !== undefined, `${state} × ${event}: taken or not`);
      t.equal(PAGE_STATE_NAMES[block.pageState(1)], next ?? state, `${state} × ${event}`);
      t.equal(
        block.pageState(0) + block.pageState(2),
        2 * PAGE_STATE.MISSING,
        'its neighbours are as they were',
      );
      if (next === undefined) {
        t.throws(() => nextPageState(state, event), { name: 'StateError', code: 'bad-page-event', state });
      } else {
        t.equal(nextPageState(state, event), next);
      }
    }
  }
  t.end();
});

t.test('names and values of the states go together', (t) => {
  t.equal(PAGE_STATE_NAMES[PAGE_STATE.MISSING], 'missing');
  t.equal(PAGE_STATE_NAMES[PAGE_STATE.REQUESTED], 'requested');
  t.equal(PAGE_STATE_NAMES[PAGE_STATE.PRESENT], 'present');
  t.end();
});

t.test('publishing tells the state before, so that a duplicate shows', (t) => {
  const block = blockIn('requested');
  t.equal(block.publish(1), PAGE_STATE.REQUESTED);
  t.equal(block.publish(1), PAGE_STATE.PRESENT);
  t.end();
});
