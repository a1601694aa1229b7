// Who reads faults along sees each once, or that it was lost.
import t from 'tap';
import { FAULT_RING_ENTRIES, FaultRing } from '../../src/telemetry/fault-ring.ts';

function pair(): { writer: FaultRing; reader: FaultRing; write: (value: number) => void } {
  const reader = new FaultRing(2);
  const writer = new FaultRing(2, reader.shared);
  return { writer, reader, write: (value) => writer.append(Float64Array.of(0, value, -value), 1) };
}

t.test('what was written is read once, in order', async (t) => {
  const { reader, write } = pair();
  t.match(reader.read(), { count: 0, lost: 0 });
  for (const value of [1, 2, 3]) write(value);
  const { count, columns, lost } = reader.read();
  t.strictSame([count, [...columns], lost], [3, [1, -1, 2, -2, 3, -3], 0]);
  write(4);
  t.strictSame([...reader.read().columns], [4, -4]);
  t.equal(reader.read().count, 0);
});

t.test('what was overwritten is counted', async (t) => {
  const { reader, write } = pair();
  for (let value = 0; value < FAULT_RING_ENTRIES + 9; value += 1) write(value);
  const { count, columns, lost } = reader.read();
  t.equal(count + lost, FAULT_RING_ENTRIES + 9);
  t.equal(lost, 10, 'with the one that might just be written');
  t.strictSame([columns[0], columns.at(-2)], [10, FAULT_RING_ENTRIES + 8]);
  for (let value = 0; value < 5 * FAULT_RING_ENTRIES; value += 3) {
    for (let more = 0; more < 3; more += 1) write(value + more);
    t.equal(reader.read().columns[0], value);
  }
});
