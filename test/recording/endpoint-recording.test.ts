// An end that records itself: what it hands on unchanged, and what a recording that breaks leaves alone.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { EndpointRecording } from '../../src/recording/endpoint-recording.ts';
import type { Channel, ChannelReader } from '../../src/transport/channel.ts';
import { temporaryDirectory } from '../e2e/command.ts';

/** A channel in memory: what was written to it, and the reader that it gives bytes to. */
class MemoryChannel implements Channel {
  readonly peer = 'memory';
  readonly fileDescriptor = 7;
  readonly written: Uint8Array[] = [];
  reader: ChannelReader | undefined;
  read(reader: ChannelReader): void {
    this.reader = reader;
  }
  write(bytes: Uint8Array): Promise<void> {
    this.written.push(bytes.slice());
    return Promise.resolve();
  }
  writeAll(pieces: readonly Uint8Array[]): undefined {
    this.written.push(Buffer.concat(pieces));
  }
  end(): Promise<void> {
    return Promise.resolve();
  }
  destroy(): void {}
}

const bytes = (...values: number[]) => Uint8Array.from(values);

t.test('writes of a destination are the return path', async (t) => {
  const directory = join(temporaryDirectory(t), 'r');
  const recording = new EndpointRecording(directory, 'destination');
  const inner = new MemoryChannel();
  const channel = recording.wrap(inner);
  t.equal(channel.fileDescriptor, -1, 'nobody writes past the recording');
  const taken: Uint8Array[] = [];
  channel.read({
    data: (input, start, end) => void taken.push(input.slice(start, end)),
    end: () => undefined,
    error: (error) => t.fail(error.message),
  });
  inner.reader!.data(bytes(9, 1, 2, 9), 1, 3);
  await channel.write(bytes(3, 4));
  t.equal(recording.finish({ status: 'completed' }), undefined);
  t.strictSame(taken, [bytes(1, 2)]);
  t.strictSame(inner.written, [bytes(3, 4)]);
  t.strictSame(bytes(...readFileSync(join(directory, 'c0.fwd.bin'))), bytes(1, 2));
  t.strictSame(bytes(...readFileSync(join(directory, 'c0.ret.bin'))), bytes(3, 4));
  await channel.write(bytes(5));
  t.strictSame(inner.written.at(-1), bytes(5), 'after its end it lets all pass');
});

t.test('a recording that breaks leaves the channel alone, and has no result', async (t) => {
  const directory = join(temporaryDirectory(t), 'r');
  const recording = new EndpointRecording(directory, 'source');
  rmSync(directory, { recursive: true });
  const inner = new MemoryChannel();
  const channel = recording.wrap(inner);
  await channel.write(bytes(1));
  t.equal(channel.writeAll([bytes(2), bytes(3, 4)]), undefined);
  t.same(
    inner.written.map((written) => [...written]),
    [[1], [2, 3, 4]],
  );
  t.match(recording.finish({ status: 'completed' }), { code: 'cannot-write-recording' });
  t.throws(() => readdirSync(directory), { code: 'ENOENT' });
});
