// Parses the start of a fresh migration: header, configuration and its subsections (wire sections 1.1 and 1.4).
import { ProtocolError } from '../errors.ts';
import { hex } from './bytes.ts';
import type { Parsed } from './parsed.ts';
import {
  CONFIGURATION_SUBSECTIONS,
  type ConfigurationSubsection,
  HEADER,
  SECTIONS,
  type SectionRecord,
  STREAM_MAGIC,
  STREAM_VERSION,
  SUBSECTION_HEAD,
} from './sections.ts';
import type { HeaderRecord } from './stream-records.ts';

/** Length in bytes of the header. */
export const HEADER_BYTES = 8;

/** Parses the header. @throws ProtocolError `bad-magic`, `bad-version` */
export function parseHeader(bytes: Uint8Array, at: number): Parsed<HeaderRecord> {
  const values = HEADER.decode(bytes.subarray(at, at + HEADER_BYTES));
  if (values.magic !== STREAM_MAGIC) {
    const message = `expected the magic ${hex(STREAM_MAGIC)}, found ${hex(values.magic, 8)}`;
    throw new ProtocolError('bad-magic', message, { rule: 'D1' });
  }
  if (values.version !== STREAM_VERSION) {
    const old = values.version === 2 ? ' (the obsolete format)' : '';
    const message = `expected stream version ${STREAM_VERSION}, found ${values.version}${old}`;
    throw new ProtocolError('bad-version', message, { rule: 'D2' });
  }
  return { record: { name: 'HEADER', ...values }, usedBytes: HEADER_BYTES };
}

/** Parses the configuration with its type byte. @throws ProtocolError `no-configuration` for another type */
export function parseConfiguration(bytes: Uint8Array, at: number, end: number): Parsed<SectionRecord> {
  const type = SECTIONS.CONFIGURATION;
  if (bytes[at] !== type.code) {
    const message = `expected the configuration (0x07), found ${hex(bytes[at]!, 2)}`;
    throw new ProtocolError('no-configuration', message, { rule: 'D3' });
  }
  const usedBytes = 1 + type.measure(bytes, at + 1, end);
  if (at + usedBytes > end) return { wantedBytes: usedBytes };
  return { record: { name: type.name, ...type.decode(bytes.subarray(at + 1, at + usedBytes)) }, usedBytes };
}

/** Parses a subsection with its type byte. @throws ProtocolError `unknown-subsection` */
export function parseSubsection(bytes: Uint8Array, at: number, end: number): Parsed<ConfigurationSubsection> {
  const headBytes = 1 + SUBSECTION_HEAD.measure(bytes, at + 1, end);
  if (at + headBytes > end) return { wantedBytes: headBytes };
  const { subsection, versionId } = SUBSECTION_HEAD.decode(bytes.subarray(at + 1, at + headBytes));
  if (!Object.hasOwn(CONFIGURATION_SUBSECTIONS, subsection) || versionId !== 1) {
    throw new ProtocolError(
      'unknown-subsection',
      `expected a known subsection of the configuration in version 1, found '${subsection}' version ${versionId}`,
      { rule: 'D5' },
    );
  }
  const type = CONFIGURATION_SUBSECTIONS[subsection as keyof typeof CONFIGURATION_SUBSECTIONS];
  const usedBytes = headBytes + type.measure(bytes, at + headBytes, end);
  if (at + usedBytes > end) return { wantedBytes: usedBytes };
  const values = type.decode(bytes.subarray(at + headBytes, at + usedBytes));
  return { record: { name: type.name, ...values } as ConfigurationSubsection, usedBytes };
}
