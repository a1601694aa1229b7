// Reads the machine out of a recorded stream, and nothing of its RAM.
import { deviceStateBytes } from '../destination/known-devices.ts';
import type { Profile } from '../protocol/profile.ts';
import { StreamDecoder, type StreamSink } from '../protocol/stream-decoder.ts';
import type { RecordedPiece } from '../recording/recorded-piece.ts';
import { MachineCollector, type RecordedMachine } from './recorded-machine.ts';

/**
 * The machine of a recording, whose RAM may be incomplete: it is read up to the package, or to the end of a precopy
 * stream. @throws MigrationError that names what is missing or broken, and where
 */
export async function readMachine(
  pieces: AsyncIterable<RecordedPiece>,
  profile: Profile,
): Promise<RecordedMachine> {
  const collector = new MachineCollector(profile);
  let summary = 0;
  const sink: StreamSink = {
    record(record, offset, lengthBytes) {
      if (record.name === 'POSTCOPY_ADVISE') summary = record.pageSizeSummary;
      // The answer to the cookie was not seen here, but the source goes by it.
      if (record.name === 'PING') decoder.extension = true;
      collector.take(record, offset, lengthBytes);
    },
    pageSizeField: () => ({ field: 'guess', summary }),
    deviceStateBytes,
    selectBlock: () => undefined,
    page: () => undefined,
    pageBytes: () => undefined,
    zeroPage: () => undefined,
    ramList: () => undefined,
    endOfPayload: () => undefined,
  };
  const decoder = new StreamDecoder(sink, { profile, begins: 'header', stream: 'main' });
  let mainBytes = 0;
  for await (const { conn, dir, bytes, gap } of pieces) {
    if (conn !== 0 || dir !== 'fwd') continue;
    if (gap !== undefined) throw gap;
    decoder.push(bytes);
    mainBytes += bytes.length;
    // A precopy stream has its description behind EOF.
    if (collector.hasPackage) return collector.machine();
  }
  decoder.end();
  return collector.machine(mainBytes);
}
