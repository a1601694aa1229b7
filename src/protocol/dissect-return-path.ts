// Dissects a return path message by message.
import { type DissectionPlace, type DissectionSink, errorEntry } from './dissection-entry.ts';
import { ReturnPathDecoder, type ReturnPathOptions, type ReturnPathRecord } from './return-path-decoder.ts';

const PLACE: DissectionPlace = { stream: 'return path', streamOffset: 0 };

/** Hands over every return-path message and every received bitmap. */
export class ReturnPathDissector {
  readonly #sink: DissectionSink;
  readonly #decoder: ReturnPathDecoder;
  #hasFailed = false;

  constructor(sink: DissectionSink, options: ReturnPathOptions & { readonly extension?: boolean }) {
    this.#sink = sink;
    this.#decoder = new ReturnPathDecoder((record, offset, lengthBytes) => {
      const values = returnPathValues(record);
      sink.entry({ kind: 'record', ...PLACE, offset, lengthBytes, name: record.name, values });
    }, options);
    this.#decoder.extension = options.extension ?? false;
  }

  /** Whether an error was handed over: nothing behind it is decoded. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Dissects input of any length. */
  push(input: Uint8Array, start = 0, end = input.length): void {
    this.#attempt(() => this.#decoder.push(input.subarray(start, end)));
  }

  /** Tells that the input has ended, which is an error inside a message. */
  end(): void {
    this.#attempt(() => this.#decoder.end());
  }

  #attempt(decode: () => void): void {
    if (this.#hasFailed) return;
    try {
      decode();
    } catch (error) {
      this.#hasFailed = true;
      this.#sink.entry(errorEntry(error, PLACE));
    }
  }
}

/** The decoded fields; of a received bitmap how many bits are set. */
export function returnPathValues(record: ReturnPathRecord): Record<string, unknown> {
  if (record.name !== 'RECEIVED_BITMAP') {
    const { name: _name, ...values } = record;
    return values;
  }
  let received = 0;
  for (const byte of record.bits) for (let bit = byte; bit > 0; bit >>= 1) received += bit % 2;
  return { block: record.block, pages: 8 * record.bits.length, received };
}
