// Parses what stands in the main loop beside commands: section heads, EOF, the VM description (wire section 1.2).
import { ProtocolError } from '../errors.ts';
import { hex } from './bytes.ts';
import type { Parsed } from './parsed.ts';
import { RAM_IDSTR, RAM_SECTION_VERSION } from './ram-records.ts';
import { SECTION_BY_CODE, SECTIONS, type SectionRecord } from './sections.ts';

/**
 * Parses a section head, EOF or, behind EOF, the VM description.
 *
 * @throws ProtocolError `unknown-section-type`, `unknown-section`, `bad-section-version`
 */
export function parseSection(
  bytes: Uint8Array,
  at: number,
  end: number,
  isBehindEof: boolean,
): Parsed<SectionRecord> {
  const type = SECTION_BY_CODE.get(bytes[at]!);
  const isExpected =
    type !== undefined &&
    type !== SECTIONS.CONFIGURATION &&
    type !== SECTIONS.SECTION_FOOTER &&
    (type !== SECTIONS.VMDESCRIPTION || isBehindEof);
  if (!isExpected) {
    const message = `expected a section type, found ${hex(bytes[at]!, 2)}`;
    throw new ProtocolError('unknown-section-type', message, { rule: 'D9' });
  }
  const usedBytes = 1 + type.measure(bytes, at + 1, end);
  if (at + usedBytes > end) return { wantedBytes: usedBytes };
  const values = type.decode(bytes.subarray(at + 1, at + usedBytes));
  const record = { name: type.name, ...values } as SectionRecord;
  if ('idstr' in record) checkAnnouncement(record);
  return { record, usedBytes };
}

function checkAnnouncement({
  sectionId,
  idstr,
  versionId,
}: {
  readonly sectionId: number;
  readonly idstr: string;
  readonly versionId: number;
}): void {
  if (idstr === '') {
    const message = `section ${sectionId}: expected a name, found an empty one`;
    throw new ProtocolError('unknown-section', message, { rule: 'D10' });
  }
  if (idstr === RAM_IDSTR && versionId !== RAM_SECTION_VERSION) {
    const message = `section '${RAM_IDSTR}': expected version ${RAM_SECTION_VERSION}, found ${versionId}`;
    throw new ProtocolError('bad-section-version', message, { rule: 'D12' });
  }
}
