// Counters of the metrics go on over runs, however often they are read; gauges are of the last tick.
import t from 'tap';
import { FeedHub } from '../../src/feed/feed-hub.ts';
import type { FeedBody } from '../../src/feed/feed-messages.ts';
import { RunMetrics } from '../../src/feed/run-metrics.ts';

const NOTHING: FeedBody<'totals'> = {
  wire: 0,
  precopyPages: 0,
  backgroundPages: 0,
  requestedPages: 0,
  zeroPages: 0,
  discardedPages: 0,
  duplicatePages: 0,
  requests: 0,
  faults: 0,
  presentBytes: 0,
  totalBytes: 0,
};

function begin() {
  const hub = new FeedHub('source', { control: false, hold: false, repeat: false });
  const metrics = new RunMetrics('source', hub);
  const total = (values: Partial<FeedBody<'totals'>>): void =>
    hub.tell({ kind: 'totals', ...NOTHING, ...values });
  const read = async (name: string): Promise<number> => {
    const { text } = await metrics.print();
    const line = text.split('\n').find((each) => each.startsWith(`${name}{`));
    return Number(line?.split(' ').at(-1));
  };
  return { total, read };
}

t.test('what passed between two reads is counted, and nothing twice', async (t) => {
  const { total, read } = begin();
  total({ wire: 100 });
  total({ wire: 250 });
  t.equal(await read('postcopy_wire_bytes_total'), 250);
  t.equal(await read('postcopy_wire_bytes_total'), 250, 'read again');
  total({ wire: 300 });
  t.equal(await read('postcopy_wire_bytes_total'), 300);
});

t.test('another run is added, also where nobody read in between', async (t) => {
  const { total, read } = begin();
  total({ wire: 1000, faults: 7 });
  total({ wire: 40, faults: 0 });
  total({ wire: 60, faults: 2 });
  t.equal(await read('postcopy_wire_bytes_total'), 1060);
  t.equal(await read('postcopy_faults_total'), 9);
});

t.test('gauges are those of the last tick', async (t) => {
  const { total, read } = begin();
  total({ presentBytes: 500, totalBytes: 4096 });
  total({ presentBytes: 300, totalBytes: 4096 });
  t.equal(await read('postcopy_present_bytes'), 300);
  t.equal(await read('postcopy_memory_bytes'), 4096);
});
