// Options of a command as a table: what is parsed and what --help prints come from the same entry.
import { parseArgs } from 'node:util';
import { OptionError } from '../errors.ts';
import { isPowerOfTwo, parseByteSize } from '../machine/byte-size.ts';
import { MAX_HOST_PAGE_BYTES } from '../machine/ram-block.ts';
import { TARGET_PAGE_BYTES } from '../machine/ram-memory.ts';

/** One option of a command. */
export interface OptionSpec {
  /** Name of its value in the help; without one the option is a switch. */
  readonly value?: string;
  readonly short?: string;
  readonly default?: string;
  /** Its value where it is given without one. */
  readonly bare?: string;
  /** May be given several times. */
  readonly multiple?: true;
  readonly doc: string;
}

/** Options of a command by name. A switch whose name begins with `no-` turns off what is on by itself. */
export type OptionTable = Readonly<Record<string, OptionSpec>>;

/** What a command is, for its help. */
export interface CommandHelp {
  readonly usage: string;
  readonly summary: string;
  readonly options: OptionTable;
  readonly examples: readonly { readonly command: string; readonly doc: string }[];
}

/** A parsed command line. */
export class Arguments {
  readonly positionals: readonly string[];
  readonly #values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
  readonly #table: OptionTable;

  /** @throws OptionError `bad-option` */
  constructor(args: readonly string[], table: OptionTable) {
    this.#table = table;
    const options = Object.fromEntries(
      Object.entries(table).map(([name, spec]) => [
        name,
        {
          type: spec.value === undefined ? ('boolean' as const) : ('string' as const),
          ...(spec.short === undefined ? {} : { short: spec.short }),
          ...(spec.multiple === undefined ? {} : { multiple: true as const }),
        },
      ]),
    );
    try {
      const parsed = parseArgs({
        args: withBareValues(args, table),
        options,
        allowPositionals: true,
        strict: true,
      });
      this.#values = parsed.values;
      this.positionals = parsed.positionals;
    } catch (error) {
      throw new OptionError('bad-option', (error as Error).message.split('. ')[0]!, { cause: error });
    }
  }

  /** Whether a switch is on. */
  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  /** The text of an option, or its default; undefined if it has neither. */
  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : this.#table[name]!.default;
  }

  /** All texts of an option that may be repeated. */
  texts(name: string): readonly string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
  }

  /** A whole number of at least `least`. @throws OptionError `bad-option-value` */
  integer(name: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
    const text = this.text(name) ?? '';
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    const upTo = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
    throw badValue(name, `a whole number ${upTo}`, text);
  }

  /** A size in bytes. @throws OptionError `bad-option-value` */
  bytes(name: string): number {
    return parseSize(name, this.text(name) ?? '');
  }

  /** A page size in bytes. @throws OptionError `bad-option-value` */
  pageBytes(name: string): number {
    return parsePageSize(name, this.text(name) ?? '');
  }

  /** Refuses each of `names` that was given, for the reason given. @throws OptionError `option-without-effect` */
  refuse(names: readonly string[], reason: string): void {
    for (const name of names) {
      if (this.has(name)) throw new OptionError('option-without-effect', `--${name} has no effect ${reason}`);
    }
  }

  /** One of a few words. @throws OptionError `bad-option-value` */
  choice<const T extends string>(name: string, choices: readonly T[]): T {
    const text = this.text(name);
    const found = choices.find((choice) => choice === text);
    if (found === undefined) throw badValue(name, choices.join(', '), text ?? 'nothing');
    return found;
  }
}

/** Arguments in which options that may stand without their value have one. */
function withBareValues(args: readonly string[], table: OptionTable): string[] {
  return args.map((arg, index) => {
    const bare = arg.startsWith('--') ? table[arg.slice(2)]?.bare : undefined;
    const isBare = bare !== undefined && (args[index + 1]?.startsWith('-') ?? true);
    return isBare ? `${arg}=${bare}` : arg;
  });
}

/** A size in bytes as the value of an option. @throws OptionError `bad-option-value` */
export function parseSize(name: string, text: string): number {
  try {
    return parseByteSize(text);
  } catch {
    throw badValue(name, 'a size such as 4096, 4K, 16M or 1G', text);
  }
}

/** A page size in bytes as the value of an option. @throws OptionError `bad-option-value` */
export function parsePageSize(name: string, text: string): number {
  const bytes = parseSize(name, text);
  if (isPowerOfTwo(bytes) && bytes >= TARGET_PAGE_BYTES && bytes <= MAX_HOST_PAGE_BYTES) return bytes;
  throw badValue(name, 'a power of two from 4K to 16G', text);
}

/** The error for an option's value. */
export function badValue(name: string, expected: string, found: string): OptionError {
  return new OptionError('bad-option-value', `--${name}: expected ${expected}, found '${found}'`);
}

const NAME_COLUMN = 32;
const WIDTH = 100;

/** The help of a command. */
export function helpText({ usage, summary, options, examples }: CommandHelp): string {
  const lines = [`Usage: ${usage}`, '', summary, '', 'Options:'];
  for (const [name, spec] of Object.entries(options)) {
    const short = spec.short === undefined ? '' : `-${spec.short}, `;
    const head = `  ${short}--${name}${spec.value === undefined ? '' : ` ${spec.value}`}`;
    const doc = spec.default === undefined ? spec.doc : `${spec.doc} (default ${spec.default})`;
    const wrapped = wrapWords(doc, WIDTH - NAME_COLUMN);
    const first =
      head.length < NAME_COLUMN ? head.padEnd(NAME_COLUMN) : `${head}\n${' '.repeat(NAME_COLUMN)}`;
    lines.push(`${first}${wrapped.join(`\n${' '.repeat(NAME_COLUMN)}`)}`);
  }
  lines.push('', 'Examples:');
  for (const { command, doc } of examples) lines.push(`  # ${doc}`, `  ${command}`, '');
  return `${lines.join('\n').trimEnd()}\n`;
}

function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
