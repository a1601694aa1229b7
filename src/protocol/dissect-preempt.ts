// Dissects a preempt channel: page records and nothing else.
import { TransportError } from '../errors.ts';
import { RamDissector } from './dissect-ram.ts';
import { type DissectionPlace, type DissectionSink, errorEntry } from './dissection-entry.ts';
import { locate } from './locate.ts';
import { RamRecordDecoder } from './ram-record-decoder.ts';

const PLACE: DissectionPlace = { stream: 'preempt', streamOffset: 0 };

/** Hands over every record of a preempt channel. What follows EOS is ignored. */
export class PreemptDissector {
  readonly #sink: DissectionSink;
  readonly #decoder: RamRecordDecoder;
  #position = 0;
  #isDone = false;
  #hasFailed = false;

  constructor(sink: DissectionSink) {
    this.#sink = sink;
    this.#decoder = new RamRecordDecoder(new RamDissector(sink, PLACE, () => this.#decoder.recordOffset));
  }

  /** Whether an error was handed over: nothing behind it is decoded. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Dissects input of any length. */
  push(input: Uint8Array, start = 0, end = input.length): void {
    if (this.#isDone) return;
    try {
      this.#decoder.consume(input, start, end, this.#position);
      this.#position += end - start;
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
    const located = locate(error, { offset: this.#decoder.recordOffset, stream: 'preempt' });
    this.#sink.entry(errorEntry(located, PLACE));
  }
}
