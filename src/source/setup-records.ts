// The records of a migration that are not pages: what goes before them, the package, and what ends a ram section.
import type { RamBlock } from '../machine/ram-block.ts';
import { encodeCommand } from '../protocol/commands.ts';
import { joinBytes } from '../protocol/message.ts';
import {
  encodeEos,
  encodeRamList,
  RAM_IDSTR,
  RAM_SECTION_VERSION,
  TARGET_PAGE_BYTES,
} from '../protocol/ram-records.ts';
import {
  type ConfigurationSubsection,
  encodeHeader,
  encodeSection,
  encodeSubsectionRecord,
} from '../protocol/sections.ts';
import { type DeviceSection, encodeDevices } from './device-sections.ts';
import type { BlockPlacement } from './negotiation.ts';

/** Section id of `ram`, as in a QEMU source. */
export const RAM_SECTION_ID = 2;
/** QEMU's PING values; the negotiation cookie takes the place of the first. */
export const PING = { SETUP: 1, BEFORE_PACKAGE: 2, IN_PACKAGE: 3, AFTER_PACKAGE: 4 } as const;

/** The default host page: a block that has it carries no page size in the RAM list (rule S6). */
const DEFAULT_PAGE_BYTES = TARGET_PAGE_BYTES;

/** Header, configuration and the opening of the return path. */
export function encodePreamble(
  machine: string,
  subsections: readonly ConfigurationSubsection[] = [],
): Uint8Array {
  return joinBytes([
    encodeHeader(),
    encodeSection('CONFIGURATION', { machine }),
    ...subsections.map(encodeSubsectionRecord),
    encodeCommand('OPEN_RETURN_PATH', {}),
  ]);
}

/** ADVISE with the OR of all placement pages (rule S3). They are powers of two, so adding the different ones is it. */
export function encodeAdvise(placements: readonly BlockPlacement[]): Uint8Array {
  const sizes = new Set(placements.map((placement) => placement.placementPageBytes));
  const pageSizeSummary = [...sizes].reduce((sum, size) => sum + size, 0);
  return encodeCommand('POSTCOPY_ADVISE', { pageSizeSummary, targetPageSize: TARGET_PAGE_BYTES });
}

/** START of `ram` with the RAM list; page sizes stand in it only if postcopy was advised. */
export function encodeRamStart(
  blocks: readonly RamBlock[],
  placements: readonly BlockPlacement[],
  isAdvised: boolean,
): Uint8Array {
  const list = blocks.map((block, index) => {
    const pageSize = placements[index]!.placementPageBytes;
    const entry = { block: block.name, length: block.lengthBytes };
    return isAdvised && pageSize !== DEFAULT_PAGE_BYTES ? { ...entry, pageSize } : entry;
  });
  return joinBytes([
    encodeSection('SECTION_START', {
      sectionId: RAM_SECTION_ID,
      idstr: RAM_IDSTR,
      instanceId: 0,
      versionId: RAM_SECTION_VERSION,
    }),
    encodeRamList(list),
    ramPayloadEnd(),
  ]);
}

/** LISTEN, the devices, a PING and RUN, in a package (rule S15). */
export function encodePackage(devices: readonly DeviceSection[], ping: Uint8Array): Uint8Array {
  const blob = joinBytes([
    encodeCommand('POSTCOPY_LISTEN', {}),
    encodeDevices(devices),
    ping,
    encodeCommand('POSTCOPY_RUN', {}),
  ]);
  return joinBytes([encodeCommand('PACKAGED', { length: blob.length }), blob]);
}

/** EOS and footer, which end the payload of every ram section. */
export function ramPayloadEnd(): Uint8Array {
  return joinBytes([encodeEos(), encodeSection('SECTION_FOOTER', { sectionId: RAM_SECTION_ID })]);
}
