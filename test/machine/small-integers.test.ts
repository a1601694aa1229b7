// Numbers that pages are reckoned from are small integers to V8 where they fit: a double among them makes it throw away compiled code.
import { serialize } from 'node:v8';
import t from 'tap';
import { parseByteSize } from '../../src/machine/byte-size.ts';
import { pagesIn } from '../../src/machine/ram-memory.ts';
import { readBe64, writeBe64 } from '../../src/protocol/bytes.ts';
import { FlightWindow } from '../../src/source/flight-window.ts';

/** V8 writes a small integer as `I`, and a double as `N`, however whole it is. */
const isSmall = (value: number): boolean => serialize(value)[2] === 'I'.charCodeAt(0);

t.test('V8 tells the two apart', async (t) => {
  t.ok(isSmall(4096));
  t.notOk(isSmall(4096.5));
  const size = [0.5, 8192];
  t.notOk(isSmall(size[1]!), 'a whole number that was kept among doubles is one');
});

t.test('sizes, offsets, pages and windows are small where they fit', async (t) => {
  const wire = new Uint8Array(8);
  for (const bytes of [4096, 2 ** 21, 2 ** 30]) {
    writeBe64(wire, 0, bytes);
    t.ok(isSmall(readBe64(wire, 0)), `${bytes} as read from the wire`);
    t.ok(isSmall(pagesIn(Number(`${bytes}.0`))), `pages in ${bytes}`);
  }
  writeBe64(wire, 0, 2 ** 40);
  t.equal(readBe64(wire, 0), 2 ** 40);
  t.ok(isSmall(pagesIn(2 ** 40)), 'also of a size that does not fit itself');
  t.ok(isSmall(parseByteSize('1G')));
  const window = new FlightWindow('auto');
  window.onRoundTrip(33_333);
  window.onSent(77_777);
  const value = window.ping(1000);
  window.onPong(value, 78_543.25);
  t.ok(isSmall(window.batchBytes), `a window of ${window.windowBytes} bytes`);
});
