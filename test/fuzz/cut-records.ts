// Cuts streams into their records, so that damage can be done to one of them.
import { deviceStateBytes } from '../../src/destination/known-devices.ts';
import { StreamDissector } from '../../src/protocol/dissect.ts';
import { PreemptDissector } from '../../src/protocol/dissect-preempt.ts';
import { ReturnPathDissector } from '../../src/protocol/dissect-return-path.ts';
import type { DissectedEntry } from '../../src/protocol/dissection-entry.ts';

/** One record of a stream, with the name that the dissection gives it. */
export interface CutRecord {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The bytes from the start of each record to that of the next. */
function cut(bytes: Uint8Array, entries: readonly DissectedEntry[], stream: string): CutRecord[] {
  const starts: { name: string; offset: number }[] = [];
  for (const entry of entries) {
    if (entry.kind === 'record' && entry.stream === stream)
      starts.push({ name: entry.name, offset: entry.offset });
  }
  starts.sort((one, other) => one.offset - other.offset);
  return starts.map(({ name, offset }, index) => ({
    name,
    bytes: bytes.slice(offset, starts[index + 1]?.offset ?? bytes.length),
  }));
}

function collect(dissect: (sink: { entry(entry: DissectedEntry): void; pageEnd(): void }) => void) {
  const entries: DissectedEntry[] = [];
  dissect({ entry: (entry) => entries.push(entry), pageEnd: () => undefined });
  return entries;
}

/** The records of a main channel. */
export function cutMain(bytes: Uint8Array): CutRecord[] {
  const entries = collect((sink) =>
    new StreamDissector(sink, {
      profile: '7.2',
      begins: 'header',
      stream: 'main',
      extension: true,
      deviceStateBytes,
    }).push(bytes),
  );
  return cut(bytes, entries, 'main');
}

/** The records of what is in a package. */
export function cutPackage(bytes: Uint8Array): CutRecord[] {
  const entries = collect((sink) =>
    new StreamDissector(sink, {
      profile: '7.2',
      begins: 'sections',
      stream: 'package',
      deviceStateBytes,
    }).push(bytes),
  );
  return cut(bytes, entries, 'package');
}

/** The records of a preempt channel. */
export function cutPreempt(bytes: Uint8Array): CutRecord[] {
  return cut(
    bytes,
    collect((sink) => new PreemptDissector(sink).push(bytes)),
    'preempt',
  );
}

/** The messages of a return path. */
export function cutReturnPath(bytes: Uint8Array): CutRecord[] {
  const entries = collect((sink) =>
    new ReturnPathDissector(sink, { profile: '10.x', extension: true }).push(bytes),
  );
  return cut(bytes, entries, 'return path');
}
