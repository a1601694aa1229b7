// Options that source and destination share, and how their values are read.
import { OptionError } from '../errors.ts';
import type { RamBlockSpec } from '../machine/ram-block.ts';
import { type Arguments, badValue, type OptionTable, parsePageSize, parseSize } from './option-table.ts';

/** Options of every command. */
export const OUTPUT_OPTIONS = {
  json: { doc: 'print one JSON object on stdout and nothing else there; logs go to stderr' },
  'log-level': {
    value: 'LEVEL',
    doc: 'logs on stderr: trace, debug, info, warn, error or silent',
    default: 'warn',
  },
  help: { short: 'h', doc: 'print this help' },
} as const satisfies OptionTable;

/** Options of both ends. */
export const END_OPTIONS = {
  machine: {
    short: 'M',
    value: 'NAME',
    doc: 'machine type in the configuration section; a destination without one accepts any',
  },
  block: {
    value: 'NAME=SIZE@PAGE[,device]',
    multiple: true,
    doc: 'give the RAM layout block by block: length, host page, and whether it is device memory',
  },
  profile: {
    value: 'PROFILE',
    doc: 'strict, or 7.2 or 10.x to be as lenient as that QEMU',
    default: 'strict',
  },
  'no-negotiate': { doc: 'do without host page negotiation, as QEMU does' },
  'ram-image': { value: 'FILE', doc: "file that the guest's RAM is filled from at the source" },
  record: {
    value: 'DIR',
    doc: 'new or empty directory to record both directions in, with times; readable by dissect and --replay',
  },
  timeout: { value: 'MS', doc: 'how long the peer may be silent', default: '30000' },
  'no-verify': { doc: 'do not run the guest again without migration to prove its RAM' },
} as const satisfies OptionTable;

/** Device memory of the default machine, with 4 KiB host pages whatever backs its RAM. */
export const VGA_VRAM = {
  name: 'vga.vram',
  lengthBytes: 16 * 2 ** 20,
  hostPageBytes: 4096,
  kind: 'device',
} as const;

/** Host pages by block, from every `--block-page NAME=SIZE`. @throws OptionError `bad-option-value` */
export function parseBlockPages(args: Arguments): Map<string, number> {
  const pages = new Map<string, number>();
  for (const text of args.texts('block-page')) {
    const [name, size, ...rest] = text.split('=');
    if (!name || size === undefined || rest.length > 0) throw badValue('block-page', 'NAME=SIZE', text);
    pages.set(name, parsePageSize('block-page', size));
  }
  return pages;
}

/** Reads `NAME=SIZE@PAGE[,device]`. @throws OptionError `bad-option-value` */
export function parseBlock(text: string): RamBlockSpec {
  const match = /^(?<name>[^=]+)=(?<length>[^@,]+)@(?<page>[^,]+?)(?<device>,device)?$/.exec(text);
  if (match?.groups === undefined) {
    throw new OptionError('bad-option-value', `--block: expected NAME=SIZE@PAGE[,device], found '${text}'`);
  }
  const { name, length, page, device } = match.groups;
  return {
    name: name!,
    lengthBytes: parseSize('block', length!),
    hostPageBytes: parsePageSize('block', page!),
    kind: device === undefined ? 'system' : 'device',
  };
}
