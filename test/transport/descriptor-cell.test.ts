// A lent descriptor is never used after its owner has closed it, also if it closes by itself.
import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { DescriptorCell } from '../../src/transport/descriptor-cell.ts';
import { listenForChannels } from '../../src/transport/open.ts';

t.test('a closed cell does nothing', async (t) => {
  const cell = DescriptorCell.allocate(7);
  const other = new DescriptorCell(cell.shared);
  t.equal(
    other.use((descriptor) => descriptor),
    7,
  );
  cell.close();
  t.equal(
    other.use(() => t.fail('it was used')),
    undefined,
  );
});

t.test('an action that throws gives the cell back', async (t) => {
  const cell = DescriptorCell.allocate(7);
  t.throws(() =>
    cell.use(() => {
      throw new Error('EPIPE');
    }),
  );
  t.equal(
    cell.use(() => 1),
    1,
  );
});

t.test('a socket that is reset takes its descriptor back', async (t) => {
  const listener = await listenForChannels({ scheme: 'tcp', host: '127.0.0.1', port: 0 });
  t.teardown(() => listener.close());
  const peer = connect(Number(listener.uri.split(':').at(-1)), '127.0.0.1');
  await once(peer, 'connect');
  const channel = await listener.accept();
  const lent = channel.lend!()!;
  const cell = new DescriptorCell(lent.writes);
  t.equal(
    cell.use((descriptor) => descriptor),
    channel.fileDescriptor,
  );
  const broken = new Promise<Error>((error) => {
    channel.read({ data: () => undefined, end: () => undefined, error });
  });
  peer.resetAndDestroy();
  t.match(await broken, { code: 'connection-reset' });
  t.equal(
    cell.use((descriptor) => descriptor),
    undefined,
  );
});
