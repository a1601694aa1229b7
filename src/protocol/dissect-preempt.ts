// Prints a preempt channel: page records and nothing else.
import { TransportError } from '../errors.ts';
import { RamDissector } from './dissect-ram.ts';
import { errorLine, type LineSink } from './dissection-lines.ts';
import { locate } from './locate.ts';
import { RamRecordDecoder } from './ram-record-decoder.ts';

/** Writes a line for every record of a preempt channel. What follows EOS is ignored. */
export class PreemptDissector {
  readonly #write: LineSink;
  readonly #decoder: RamRecordDecoder;
  #position = 0;
  #isDone = false;
  #hasFailed = false;

  constructor(write: LineSink) {
    this.#write = write;
    this.#decoder = new RamRecordDecoder(new RamDissector(write, () => this.#decoder.recordOffset));
  }

  /** Whether an error was written: nothing behind it is decoded. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Dissects input of any length. */
  push(input: Uint8Array): void {
    if (this.#isDone) return;
    try {
      this.#decoder.consume(input, 0, input.length, this.#position);
      this.#position += input.length;
      this.#isDone = this.#decoder.ended;
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Tells that the input has ended, which is an error inside a record; newer sources end without EOS. */
  end(): void {
    if (this.#isDone || !this.#decoder.isInsideRecord) return;
    const message = 'expected the rest of a page record, found the end of the preempt channel';
    this.#fail(new TransportError('truncated', message, { offset: this.#position }));
  }

  #fail(error: unknown): void {
    this.#isDone = true;
    this.#hasFailed = true;
    this.#write(errorLine(locate(error, { offset: this.#decoder.recordOffset, stream: 'preempt' })));
  }
}
