// Which page goes next: requests first, then the scan, and every dirty page once.
import fc from 'fast-check';
import t from 'tap';
import { RamBlock } from '../../src/machine/ram-block.ts';
import { PageOrder, type PageUnit, REQUEST_LIMIT } from '../../src/source/page-order.ts';

const PAGE = 4096;

/** Two blocks of 32 and 8 target pages, placed in 4 and 1. */
function makeBlocks(dirty: { ram: readonly number[]; vga: readonly number[] } | 'all') {
  const make = (name: string, pages: number, placementPages: number, set: readonly number[] | undefined) => {
    const ram = RamBlock.allocate(
      { name, lengthBytes: pages * PAGE, hostPageBytes: PAGE, kind: 'system' },
      'present',
    );
    if (set === undefined) ram.dirty.setRange(0, pages);
    for (const unit of set ?? []) ram.dirty.setRange(unit * placementPages, placementPages);
    return { ram, placementPageBytes: placementPages * PAGE };
  };
  const isAll = dirty === 'all';
  return [
    make('pc.ram', 32, 4, isAll ? undefined : dirty.ram),
    make('vga.vram', 8, 1, isAll ? undefined : dirty.vga),
  ];
}

/** Takes the next unit and sends it: its pages are clean then. */
function send(order: PageOrder): string | undefined {
  const unit = order.next();
  if (unit === undefined) return undefined;
  for (let page = unit.firstPage; page < unit.firstPage + unit.pageCount; page += 1)
    unit.block.ram.dirty.clear(page);
  return words(unit);
}

function words({ block, firstPage, pageCount, isRequested }: PageUnit): string {
  return `${block.ram.name} ${firstPage}+${pageCount}${isRequested ? ' requested' : ''}`;
}

function sendAll(order: PageOrder): string[] {
  const sent: string[] = [];
  for (let unit = send(order); unit !== undefined; unit = send(order)) sent.push(unit);
  return sent;
}

t.test('the scan goes through all blocks in order, clean pages left out', (t) => {
  const order = new PageOrder(makeBlocks({ ram: [1, 6], vga: [0, 7] }));
  t.same(sendAll(order), ['pc.ram 4+4', 'pc.ram 24+4', 'vga.vram 0+1', 'vga.vram 7+1']);
  t.equal(send(order), undefined, 'and ends');
  t.end();
});

t.test('requested pages first, in order of asking (S20), and the scan goes on behind the last', (t) => {
  const order = new PageOrder(makeBlocks({ ram: [0, 1, 2, 5, 6], vga: [3] }));
  t.equal(send(order), 'pc.ram 0+4');
  order.request('vga.vram', 3 * PAGE, PAGE);
  order.request('pc.ram', 5 * 4 * PAGE, 4 * PAGE);
  t.ok(order.hasRequests);
  t.same(sendAll(order), [
    'vga.vram 3+1 requested',
    'pc.ram 20+4 requested',
    'pc.ram 24+4',
    'pc.ram 4+4',
    'pc.ram 8+4',
  ]);
  t.notOk(order.hasRequests);
  t.equal(order.requestCount, 2);
  t.end();
});

t.test('REQ_PAGES means the block named last (S23)', (t) => {
  const order = new PageOrder(makeBlocks('all'));
  t.throws(() => order.request(undefined, 0, PAGE), { code: 'no-block-named', rule: 'S23' });
  order.request('vga.vram', 0, PAGE);
  order.request(undefined, 2 * PAGE, PAGE);
  t.equal(send(order), 'vga.vram 0+1 requested');
  t.equal(send(order), 'vga.vram 2+1 requested');
  t.end();
});

t.test('a part of a placement page asks for all of it; a run of several for each', (t) => {
  const order = new PageOrder(makeBlocks('all'));
  order.request('pc.ram', 6 * PAGE, PAGE);
  order.request('pc.ram', 15 * PAGE, 2 * PAGE);
  t.same(
    [send(order), send(order), send(order)],
    ['pc.ram 4+4 requested', 'pc.ram 12+4 requested', 'pc.ram 16+4 requested'],
  );
  t.end();
});

t.test('requests for clean pages, again, or for nothing are ignored (S21)', (t) => {
  const order = new PageOrder(makeBlocks({ ram: [2], vga: [] }));
  order.request('pc.ram', 0, 4 * PAGE);
  order.request('pc.ram', 8 * PAGE, 4 * PAGE);
  order.request('pc.ram', 8 * PAGE, 4 * PAGE);
  order.request('pc.ram', 32 * PAGE, 0);
  t.same(sendAll(order), ['pc.ram 8+4 requested']);
  t.equal(order.requestCount, 4);
  t.end();
});

t.test('bad requests', (t) => {
  const order = new PageOrder(makeBlocks('all'));
  t.throws(() => order.request('pc.ram', 1, PAGE), { code: 'request-unaligned', rule: 'S22' });
  t.throws(() => order.request('pc.ram', 0, 100), { code: 'request-unaligned', rule: 'S22' });
  t.throws(() => order.request('nvram', 0, PAGE), { code: 'unknown-block', rule: 'S24', message: /nvram/ });
  t.throws(
    () => order.request(undefined, 0, PAGE),
    { code: 'no-block-named' },
    'the unknown one does not count',
  );
  t.throws(() => order.request('pc.ram', 31 * PAGE, 2 * PAGE), { code: 'request-overrun', rule: 'S25' });
  t.throws(() => order.request('pc.ram', 2 ** 52, PAGE), { code: 'request-overrun', rule: 'S25' });
  t.doesNotThrow(() => order.request('pc.ram', 28 * PAGE, 4 * PAGE), 'the last page is legal');
  t.end();
});

t.test('a flood of requests does not fill memory', (t) => {
  const order = new PageOrder(makeBlocks('all'));
  for (let count = 0; count < REQUEST_LIMIT; count += 1) order.request('pc.ram', 0, 4 * PAGE);
  t.throws(() => order.request('pc.ram', 0, 4 * PAGE), { name: 'LimitError', code: 'too-many-requests' });
  t.equal(send(order), 'pc.ram 0+4 requested');
  t.equal(sendAll(order).length, 7 + 8, 'and the rest still goes once');
  t.end();
});

t.test('every dirty placement page exactly once, whatever is asked and when', (t) => {
  const anyRequest = fc.record({
    afterUnits: fc.nat(15),
    block: fc.constantFrom('pc.ram', 'vga.vram'),
    page: fc.nat(7),
    pages: fc.integer({ min: 0, max: 8 }),
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(7)),
      fc.uniqueArray(fc.nat(7)),
      fc.array(anyRequest, { maxLength: 12 }),
      (ram, vga, requests) => {
        const order = new PageOrder(makeBlocks({ ram, vga }));
        const sent: string[] = [];
        for (let index = 0; ; index += 1) {
          for (const request of requests.filter(({ afterUnits }) => afterUnits === index)) {
            const scale = request.block === 'pc.ram' ? 4 : 1;
            const count = Math.min(request.pages, 8 - request.page);
            order.request(request.block, request.page * scale * PAGE, count * scale * PAGE);
          }
          const unit = send(order);
          if (unit !== undefined) sent.push(unit.replace(' requested', ''));
          else if (index > 15) break;
        }
        const expected = [
          ...ram.map((unit) => `pc.ram ${unit * 4}+4`),
          ...vga.map((unit) => `vga.vram ${unit}+1`),
        ];
        return sent.length === expected.length && expected.every((unit) => sent.includes(unit));
      },
    ),
    { seed: 43, numRuns: 500 },
  );
  t.end();
});
