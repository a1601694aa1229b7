// Text that is safe to print and fits.
import fc from 'fast-check';
import t from 'tap';
import { alignColumns, cut, wrap } from '../../src/cli/text-layout.ts';
import { printable } from '../../src/protocol/printable.ts';

t.test('nothing that a terminal obeys passes', async (t) => {
  t.equal(printable('pc.ram\x1b[2J\r\n\u0007\u009b\u202e\u2028'), 'pc.ram?[2J??????');
  t.equal(printable('Größe × 2 …'), 'Größe × 2 …');
});

t.test('cut and columns', async (t) => {
  t.equal(cut('pc.ram', 6), 'pc.ram');
  t.equal(cut('pc.rams', 6), 'pc.ra…');
  t.strictSame(
    alignColumns(
      [
        ['block', 'page'],
        ['a-very-long-name', '4 KiB'],
        ['b', '1 GiB'],
      ],
      8,
    ),
    ['block      page', 'a-very-…  4 KiB', 'b         1 GiB'],
  );
});

t.test('wrapping loses no letter and passes no width', async (t) => {
  t.strictSame(wrap('one two three', 7, ' '), ['one two', ' three']);
  t.strictSame(wrap('', 7, ' '), []);
  const text = fc
    .array(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 30 }))
    .map((words) => words.join(' '));
  fc.assert(
    fc.property(text, fc.integer({ min: 4, max: 40 }), (words, width) => {
      const lines = wrap(words, width, '  ');
      if (lines.some((line) => line.length > width)) return false;
      return lines.join('').replaceAll(' ', '') === words.replaceAll(' ', '');
    }),
    { seed: 2018, numRuns: 500 },
  );
});
