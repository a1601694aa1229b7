// Reads the conformance vectors: Markdown with a heading, a line that says what the bytes are, hex and dissection.
import type { Profile } from '../../src/protocol/profile.ts';
import { PROFILES } from '../../src/protocol/profile.ts';
import { listFiles, readText } from '../fixtures.ts';

const STREAMS = ['main', 'package', 'return path', 'preempt'] as const;
const FLAGS = ['begins sections', 'extension', 'ignores rest', 'one way'];
const PROVENANCES = ['written by hand', 'captured from QEMU 7.2.22'];

/** One vector. */
export interface Vector {
  readonly file: string;
  readonly title: string;
  readonly stream: (typeof STREAMS)[number];
  readonly profile: Profile;
  readonly begins: 'header' | 'sections';
  readonly extension: boolean;
  readonly ignoresRest: boolean;
  /** Accepted, but our encoder writes it in another way. */
  readonly isOneWay: boolean;
  /** The message that this vector shows being refused. */
  readonly refuses: string | undefined;
  readonly bytes: Uint8Array;
  /** Everything in the vector's section, for the rules that it names. */
  readonly prose: string;
  /** The expected dissection. */
  readonly lines: readonly string[];
}

/** Bytes of a `hex` block: digit pairs, "text", either with `*count`; `#` begins a comment. */
export function parseHex(block: string): Uint8Array {
  const bytes: number[] = [];
  const token = /#.*|\s+|(?:"([^"]*)"|((?:[0-9a-fA-F]{2})+))(?:\*(\d+))?/y;
  while (token.lastIndex < block.length) {
    const at = token.lastIndex;
    const match = token.exec(block);
    if (match === null) throw new Error(`bad hex at '${block.slice(at, at + 20)}'`);
    const [, text, digits, count] = match;
    const piece =
      text === undefined
        ? (digits?.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16))
        : Array.from(text, (character) => character.charCodeAt(0));
    for (let repeat = 0; repeat < Number(count ?? 1); repeat += 1) bytes.push(...piece);
  }
  return Uint8Array.from(bytes);
}

function parseHeadLine(line: string) {
  const parts = line.split(' · ');
  const stream = STREAMS.find((name) => `\`${name}\`` === parts[0]);
  const provenance = parts.at(-1) ?? '';
  if (stream === undefined || !PROVENANCES.includes(provenance)) throw new Error(`bad head line '${line}'`);
  let profile: Profile = 'strict';
  let refuses: string | undefined;
  const flags = new Set<string>();
  for (const option of parts.slice(1, -1)) {
    const named = PROFILES.find((name) => option === `profile ${name}`);
    if (named !== undefined) profile = named;
    else if (option.startsWith('refuses ')) refuses = option.slice('refuses '.length);
    else if (FLAGS.includes(option)) flags.add(option);
    else throw new Error(`bad option '${option}' in '${line}'`);
  }
  return {
    stream,
    profile,
    refuses,
    begins: flags.has('begins sections') ? ('sections' as const) : ('header' as const),
    extension: flags.has('extension'),
    ignoresRest: flags.has('ignores rest'),
    isOneWay: flags.has('one way'),
  };
}

function block(section: string, kind: string): string {
  const match = new RegExp(`^\`\`\`${kind}\\n([^]*?)^\`\`\`$`, 'm').exec(section);
  if (match === null) throw new Error(`no ${kind} block in '${section.slice(0, 60)}'`);
  return match[1] ?? '';
}

/** The vectors of a Markdown text; each has a heading of the second level. */
export function parseVectors(file: string, markdown: string): Vector[] {
  return markdown
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [title = '', ...rest] = section.split('\n');
      const headLine = rest.find((line) => line.startsWith('`') && !line.startsWith('```')) ?? '';
      return {
        file,
        title,
        ...parseHeadLine(headLine),
        prose: section,
        bytes: parseHex(block(section, 'hex')),
        lines: block(section, 'dissect').split('\n').slice(0, -1),
      };
    });
}

/** All vectors of the repository. */
export function readVectors(): Vector[] {
  return listFiles('test/conformance')
    .filter((file) => file.endsWith('.md') && !file.endsWith('README.md'))
    .flatMap((file) => parseVectors(file, readText(file)));
}
