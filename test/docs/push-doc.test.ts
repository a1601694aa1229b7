// docs/push.md names every push strategy, and its pictures are the orders that the strategies give.
import t from 'tap';
import { PUSH_NAMES } from '../../src/source/push/strategies.ts';
import { readText } from '../fixtures.ts';
import { PAGE, PushRig, single } from '../source/push/push-rig.ts';

const rows = [...readText('docs/push.md').matchAll(/^\| `([a-z-]+N?)` \|.*\| `([^`|/]+)`[^|]*\|$/gm)].map(
  (match) => ({
    name: match[1]!,
    cells: match[2]!.split(' '),
  }),
);

t.test('every strategy is there', async (t) => {
  t.strictSame(
    rows.map(({ name }) => name),
    PUSH_NAMES,
  );
});

for (const { name, cells } of rows) {
  t.test(name, async (t) => {
    const places = cells.map((_, page) => page);
    const first = cells.indexOf('1');
    const rig = new PushRig(
      name.replace('N', '2'),
      single(
        cells.length,
        places.filter((page) => cells[page] !== '.'),
      ),
      // What was dirtied, or faulted earlier, where that counts.
      { syncs: [[[0, first]]], faults: [{ block: 'a', start: first * PAGE, length: PAGE }] },
    );
    const requested = places
      .filter((page) => /[A-Z]/.test(cells[page]!))
      .sort((a, b) => cells[a]!.localeCompare(cells[b]!));
    rig.ask('a', ...requested);
    t.equal(rig.send(requested.length), requested.map((page) => `${page}!`).join(' '));
    const numbered = places.filter((page) => /\d/.test(cells[page]!));
    numbered.sort((a, b) => Number(cells[a]) - Number(cells[b]));
    t.equal(rig.send(), numbered.join(' '));
    t.ok(requested.length > 0 && (numbered.length > 4 || name === 'none'));
  });
}

const composed = [
  ...readText('docs/push.md').matchAll(
    /^\| `([a-z]+)` \| (\(defaults\)|`[^`|]+`) \| `([^`|]+) \/ ([^`|]+)` \|$/gm,
  ),
].map((match) => ({
  strategy: match[1]!,
  options: match[2]!,
  hostPages: match.slice(3).map((cells) => cells.split(' ')),
}));

t.test('the pictures of host pages in pieces', async (t) => {
  for (const { strategy, options, hostPages } of composed) {
    const cells = hostPages.flat();
    const shape = { name: 'a', units: cells.length, pagesPerUnit: 1, unitsPerHostPage: hostPages[0]!.length };
    const rig = new PushRig(strategy, [shape], {
      restFirst: !options.includes('--push-rest-first off'),
      ...(options.includes('--push-piece 8K') ? { pagesPerPiece: 2 } : {}),
    });
    const requested = cells.indexOf('R');
    rig.ask('a', requested);
    const order = cells.map((_, page) => page).filter((page) => page !== requested);
    order.sort((a, b) => Number(cells[a]) - Number(cells[b]));
    t.equal(rig.send(), `${requested}! ${order.join(' ')}`, `${strategy} ${options}`);
  }
  t.equal(composed.length, 5);
});
