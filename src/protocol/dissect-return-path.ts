// Prints a return path message by message.
import { errorLine, indexByName, type LineSink, recordLine, showFields } from './dissection-lines.ts';
import { ReturnPathDecoder, type ReturnPathOptions, type ReturnPathRecord } from './return-path-decoder.ts';
import { RETURN_PATH_MESSAGES } from './return-path-messages.ts';

const TYPES = indexByName(RETURN_PATH_MESSAGES);

/** Writes a line for every return-path message and every received bitmap. */
export class ReturnPathDissector {
  readonly #write: LineSink;
  readonly #decoder: ReturnPathDecoder;
  #hasFailed = false;

  constructor(write: LineSink, options: ReturnPathOptions & { readonly extension?: boolean }) {
    this.#write = write;
    this.#decoder = new ReturnPathDecoder((record, offset, lengthBytes) => {
      write(recordLine(offset, lengthBytes, record.name, fieldsOf(record)));
    }, options);
    this.#decoder.extension = options.extension ?? false;
  }

  /** Whether an error was written: nothing behind it is decoded. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Dissects input of any length. */
  push(input: Uint8Array): void {
    this.#attempt(() => this.#decoder.push(input));
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
      this.#write(errorLine(error));
    }
  }
}

function fieldsOf(record: ReturnPathRecord): string {
  if (record.name !== 'RECEIVED_BITMAP') return showFields(TYPES, record);
  let receivedCount = 0;
  for (const byte of record.bits) for (let bit = byte; bit > 0; bit >>= 1) receivedCount += bit % 2;
  return `block=${JSON.stringify(record.block)} pages=${8 * record.bits.length} received=${receivedCount}`;
}
