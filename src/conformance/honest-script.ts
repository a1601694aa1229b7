// The script of a migration that keeps every rule; rules change one step of it.
import { encodeCommand } from '../protocol/commands.ts';
import { joinBytes } from '../protocol/message.ts';
import {
  encodeEos,
  encodeRamList,
  RAM_IDSTR,
  RAM_SECTION_VERSION,
  TARGET_PAGE_BYTES,
} from '../protocol/ram-records.ts';
import { encodeHeader, encodeSection, encodeSubsectionRecord } from '../protocol/sections.ts';
import { encodeDevices } from '../source/device-sections.ts';
import { RAM_SECTION_ID } from '../source/setup-records.ts';
import type { MigrationPlan, PlannedBlock } from './migration-plan.ts';
import { type Step, send } from './script.ts';
import type { LayoutBlock, Subject } from './subject.ts';

/** QEMU sources put at most so many ranges in a discard. */
const RANGES_A_DISCARD = 12;

/** How a script differs from the usual one from its beginning on. */
export interface HonestOptions {
  /** Value of the first PING: 1, as QEMU sends, without it. */
  readonly firstPing?: number;
}

/** The OR of all host page sizes: they are powers of two, so adding the different ones is it. */
export function pageSizeSummary(blocks: readonly LayoutBlock[]): number {
  return [...new Set(blocks.map((block) => block.hostPageBytes))].reduce((sum, size) => sum + size, 0);
}

/** START of `ram` with a list of blocks, EOS and footer. */
export function ramStart(blocks: readonly LayoutBlock[], isAdvised = true): Uint8Array {
  const entries = blocks.map(({ name, lengthBytes, hostPageBytes }) => {
    const entry = { block: name, length: lengthBytes };
    return isAdvised && hostPageBytes !== TARGET_PAGE_BYTES ? { ...entry, pageSize: hostPageBytes } : entry;
  });
  return joinBytes([ramSection(RAM_SECTION_VERSION), encodeRamList(entries), endOfRam()]);
}

/** Head of the START section of `ram`. */
export function ramSection(versionId: number): Uint8Array {
  return encodeSection('SECTION_START', {
    sectionId: RAM_SECTION_ID,
    idstr: RAM_IDSTR,
    instanceId: 0,
    versionId,
  });
}

/** EOS and footer. */
export function endOfRam(): Uint8Array {
  return joinBytes([encodeEos(), encodeSection('SECTION_FOOTER', { sectionId: RAM_SECTION_ID })]);
}

/** Head of a PART of `ram`. */
export function ramPart(): Uint8Array {
  return encodeSection('SECTION_PART', { sectionId: RAM_SECTION_ID });
}

/** A PING. */
export function ping(value: number): Step {
  return send(`ping ${value}`, encodeCommand('PING', { value }));
}

/** A PING and the wait for its PONG: what came before it was taken by then. */
export function probe(value: number): Step[] {
  return [
    ping(value),
    { label: `PONG ${value}`, do: 'await', until: (answers) => answers.pongs.includes(value) },
  ];
}

/** Discard of some host pages of a block, in commands of at most 12 ranges. */
export function discardOf(block: PlannedBlock, hostPages: readonly number[]): Uint8Array {
  const ranges: { start: number; length: number }[] = [];
  for (const hostPage of hostPages) {
    const start = hostPage * block.hostPageBytes;
    const last = ranges.at(-1);
    if (last !== undefined && last.start + last.length === start) last.length += block.hostPageBytes;
    else ranges.push({ start, length: block.hostPageBytes });
  }
  const commands: Uint8Array[] = [];
  for (let at = 0; at < ranges.length; at += RANGES_A_DISCARD) {
    commands.push(discardRanges(block.name, ranges.slice(at, at + RANGES_A_DISCARD)));
  }
  return joinBytes(commands);
}

/** A discard command. */
export function discardRanges(
  block: string,
  ranges: readonly { readonly start: number; readonly length: number }[],
): Uint8Array {
  return encodeCommand('POSTCOPY_RAM_DISCARD', { version: 0, block, terminator: 0, ranges });
}

export const LISTEN = encodeCommand('POSTCOPY_LISTEN', {});
export const RUN = encodeCommand('POSTCOPY_RUN', {});
export const PING_IN_PACKAGE = encodeCommand('PING', { value: 3 });

/** PACKAGED and what it holds. */
export function packageOf(...parts: readonly Uint8Array[]): Uint8Array {
  const blob = joinBytes(parts);
  return joinBytes([encodeCommand('PACKAGED', { length: blob.length }), blob]);
}

/** The sections of the recorded devices. */
export function deviceSections(subject: Subject): Uint8Array {
  return encodeDevices(subject.recorded?.machine.devices ?? []);
}

/** Label of the last step. */
export const END_LABEL = 'SHUT or the end of the connection';

/** Label of the step that sends a host page in postcopy. */
export function pageLabel(block: LayoutBlock, hostPage: number): string {
  return `host page ${block.name} ${hostPage}`;
}

/** Header, configuration, return path and the first PING. */
export function preamble(subject: Subject, { firstPing = 1 }: HonestOptions = {}): Step[] {
  const subsections = subject.recorded?.machine.configuration ?? [];
  return [
    send('header', encodeHeader()),
    send('configuration', encodeSection('CONFIGURATION', { machine: subject.machine })),
    send('subsections', ...subsections.map(encodeSubsectionRecord)),
    send('open return path', encodeCommand('OPEN_RETURN_PATH', {})),
    ping(firstPing),
  ];
}

/** ADVISE of the peer's layout. */
export function advise(subject: Subject): Uint8Array {
  return encodeCommand('POSTCOPY_ADVISE', {
    pageSizeSummary: pageSizeSummary(subject.blocks),
    targetPageSize: TARGET_PAGE_BYTES,
  });
}

/**
 * A postcopy migration that keeps every rule: half of each block in precopy, one host page of it dirty again, the rest in
 * postcopy. It ends when the peer has sent SHUT, or has left.
 */
export function honestScript(subject: Subject, plan: MigrationPlan, options: HonestOptions = {}): Step[] {
  const moving = plan.blocks.filter((block) => block.postcopy.length > 0);
  return [
    ...preamble(subject, options),
    send('advise', advise(subject)),
    send('ram list', ramStart(subject.blocks)),
    send('part', ramPart()),
    ...plan.blocks.map((block) => send(`precopy ${block.name}`, plan.precopyPages(block))),
    send('end of part', endOfRam()),
    ...moving.map((block) => send(`discard ${block.name}`, discardOf(block, block.postcopy))),
    ping(2),
    send('package', packageOf(LISTEN, deviceSections(subject), PING_IN_PACKAGE, RUN)),
    ping(4),
    ...postcopyPages(plan),
    ...endOfStream(),
  ];
}

/** The PART with all pages of postcopy, a step for each host page. */
export function postcopyPages(plan: MigrationPlan): Step[] {
  return [
    send('postcopy part', ramPart()),
    ...plan.blocks.flatMap((block) =>
      block.postcopy.map((hostPage) => send(pageLabel(block, hostPage), plan.hostPage(block, hostPage))),
    ),
    send('end of postcopy part', endOfRam()),
  ];
}

/** END of `ram`, EOF, and the wait for what the peer says to it. */
export function endOfStream(): Step[] {
  return [
    send('end', encodeSection('SECTION_END', { sectionId: RAM_SECTION_ID }), endOfRam()),
    send('eof', encodeSection('EOF', {})),
    { label: END_LABEL, do: 'await-end' },
  ];
}
