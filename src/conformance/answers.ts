// What a destination answered on the return path, decoded as it comes.
import { MigrationError } from '../errors.ts';
import type { Profile } from '../protocol/profile.ts';
import { ReturnPathDecoder, type ReturnPathRecord } from '../protocol/return-path-decoder.ts';
import type { Exchange } from './exchange.ts';
import type { PageRequest } from './script.ts';

/** An answer, and when it came, in seconds since the exchange began. */
export interface Answer {
  readonly record: ReturnPathRecord;
  readonly tSeconds: number;
}

/** The answers of a destination so far. */
export class Answers {
  readonly all: Answer[] = [];
  /** Requests in the order in which they came, each with its block. */
  readonly requests: (PageRequest & { readonly isNamed: boolean })[] = [];
  /** What cannot be decoded; nothing behind it is. */
  error: MigrationError | undefined;
  readonly #decoder: ReturnPathDecoder;
  #tSeconds = 0;
  #block: string | undefined;

  /** `extension`: the cookie was sent, so the messages of host page negotiation may come. */
  constructor(profile: Profile, extension: boolean) {
    this.#decoder = new ReturnPathDecoder((record) => this.#take(record), { profile });
    this.#decoder.extension = extension;
  }

  /** Takes bytes of the return path. */
  push(bytes: Uint8Array, tSeconds: number): void {
    if (this.error !== undefined) return;
    this.#tSeconds = tSeconds;
    try {
      this.#decoder.push(bytes);
    } catch (error) {
      if (!(error instanceof MigrationError)) throw error;
      this.error = error;
    }
  }

  /** Values of the PONGs, in order. */
  get pongs(): number[] {
    return this.all.flatMap(({ record }) => (record.name === 'PONG' ? [record.value] : []));
  }

  /** Values of the SHUTs, in order. */
  get shuts(): number[] {
    return this.all.flatMap(({ record }) => (record.name === 'SHUT' ? [record.value] : []));
  }

  /** How many answers of a name came. */
  count(name: ReturnPathRecord['name']): number {
    return this.all.filter(({ record }) => record.name === name).length;
  }

  #take(record: ReturnPathRecord): void {
    this.all.push({ record, tSeconds: this.#tSeconds });
    if (record.name === 'REQ_PAGES_ID') this.#block = record.block;
    if (record.name !== 'REQ_PAGES_ID' && record.name !== 'REQ_PAGES') return;
    const { start, length } = record;
    // A request before any that names a block is for none.
    this.requests.push({ block: this.#block ?? '', start, length, isNamed: record.name === 'REQ_PAGES_ID' });
  }
}

/** The answers of a run that is over, on its main channel or on one that it was recovered by. */
export function answersOf({ pieces }: Exchange, profile: Profile, extension = false, mainConn = 0): Answers {
  const answers = new Answers(profile, extension);
  for (const { conn, dir, bytes, tSeconds } of pieces) {
    if (conn === mainConn && dir === 'ret') answers.push(bytes, tSeconds);
  }
  return answers;
}
