// What a stream is decoded into, and who takes it.
import type { Command } from './commands.ts';
import type { Profile } from './profile.ts';
import type { RamSink } from './ram-record-decoder.ts';
import type { ConfigurationSubsection, SectionRecord } from './sections.ts';

/** The two words at the start of a fresh migration. */
export interface HeaderRecord {
  readonly name: 'HEADER';
  readonly magic: number;
  readonly version: number;
}

/** The state of one device: the payload of a section that is not `ram`. */
export interface DeviceStateRecord {
  readonly name: 'DEVICE_STATE';
  readonly sectionId: number;
  readonly idstr: string;
  readonly instanceId: number;
  readonly versionId: number;
  readonly payload: Uint8Array;
}

/** Everything on the main channel that is not a page. */
export type StreamRecord =
  | HeaderRecord
  | SectionRecord
  | ConfigurationSubsection
  | Command
  | { readonly name: 'PACKAGE'; readonly blob: Uint8Array }
  | DeviceStateRecord;

/** Takes the decoded stream. Every method may throw to refuse what it got. */
export interface StreamSink extends RamSink {
  /** A record and where it stood in the stream, in bytes. A DISCARD or PACKAGE is given whole or not at all. */
  record(record: StreamRecord, offset: number, length: number): void;
  /** Length in bytes of the payload of a device that is known; undefined lets the decoder search its footer. */
  deviceStateBytes(idstr: string, versionId: number): number | undefined;
}

/** What a START or FULL tells of its section. */
export interface AnnouncedSection {
  readonly idstr: string;
  readonly instanceId: number;
  readonly versionId: number;
}

/** How a stream is to be read. */
export interface StreamOptions {
  readonly profile: Profile;
  /** Where the stream begins: a fresh migration has a header, a recovered one and a package have none. */
  readonly begins: 'header' | 'sections';
  /** Sections that were announced before a recovery: their ids survive it (rule D100). */
  readonly announced?: ReadonlyMap<number, AnnouncedSection>;
  /** Name for errors, such as `main` or `package`. */
  readonly stream: string;
  /** A longer package is refused before its bytes are awaited; default 64 MiB. */
  readonly packageLimitBytes?: number;
}
