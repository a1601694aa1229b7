// Decodes a package whole before anything in it is done (rules D49 to D51, S15).
import { ProtocolError, TransportError } from '../errors.ts';
import type { Profile } from '../protocol/profile.ts';
import { StreamDecoder, type StreamRecord, type StreamSink } from '../protocol/stream-decoder.ts';
import { checkKnownSection, deviceStateBytes } from './known-devices.ts';

/** What may stand in a package. */
const ALLOWED = [
  'POSTCOPY_LISTEN',
  'POSTCOPY_RUN',
  'PING',
  'SECTION_FULL',
  'DEVICE_STATE',
  'SECTION_FOOTER',
  'EOF',
] as const;

/** A record of a package. */
export type PackageRecord = Extract<StreamRecord, { name: (typeof ALLOWED)[number] }>;

function isAllowed(record: StreamRecord): record is PackageRecord {
  return (ALLOWED as readonly string[]).includes(record.name);
}

function refuse(what: string): never {
  throw new ProtocolError(
    'bad-package',
    `expected LISTEN, device sections, PING and RUN in a package, found ${what}`,
    {
      rule: 'S15',
    },
  );
}

/** The records up to RUN or EOF. @throws MigrationError with the offset in the package */
export function decodePackage(
  blob: Uint8Array,
  profile: Profile,
  acceptsUnknownDevices: boolean,
): PackageRecord[] {
  const records: PackageRecord[] = [];
  const sink: StreamSink = {
    record(record) {
      if (!isAllowed(record)) refuse(record.name);
      if (record.name === 'SECTION_FULL') checkKnownSection(record, acceptsUnknownDevices);
      records.push(record);
      if (record.name === 'POSTCOPY_RUN' || record.name === 'EOF') decoder.stop();
    },
    selectBlock: () => refuse('a page'),
    page: () => refuse('a page'),
    pageBytes: () => refuse('a page'),
    zeroPage: () => refuse('a page'),
    ramList: () => refuse('a RAM list'),
    endOfPayload: () => refuse('a ram section'),
    pageSizeField: () => refuse('a RAM list'),
    deviceStateBytes,
  };
  const decoder = new StreamDecoder(sink, { profile, begins: 'sections', stream: 'package' });
  decoder.push(blob);
  const last = records.at(-1)?.name;
  if (last !== 'POSTCOPY_RUN' && last !== 'EOF') {
    throw new TransportError('truncated', 'expected RUN at the end of the package, found its end', {
      offset: blob.length,
      stream: 'package',
      rule: 'D51',
    });
  }
  return records;
}
