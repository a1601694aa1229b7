// Cuts the good stream of a source into its records on the way, so that a fault can change, drop, add or hold back some.
import { deviceStateBytes } from '../../src/destination/known-devices.ts';
import { StreamDissector } from '../../src/protocol/dissect.ts';
import type { DissectedRecord } from '../../src/protocol/dissection-entry.ts';

/** A record of the main channel as it was about to be sent. */
export interface SentRecord {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly values: DissectedRecord['values'];
  /** Whether the package has been sent. */
  readonly isPostcopy: boolean;
}

/** What is sent in the place of a record; undefined leaves it as it is. */
export type RecordEdit = (record: SentRecord) => readonly Uint8Array[] | undefined;

/** Edits a stream while it is sent. */
export class RecordEditor {
  readonly #edit: RecordEdit;
  readonly #dissector: StreamDissector;
  /** Records that have begun, in order; the bytes of the first ones may still be to come. */
  readonly #begun: DissectedRecord[] = [];
  /** Bytes that were taken and not sent on, from `#start` on. */
  #held = new Uint8Array(0);
  #start = 0;
  #isPostcopy = false;

  constructor(edit: RecordEdit) {
    this.#edit = edit;
    this.#dissector = new StreamDissector(
      {
        entry: (entry) => {
          if (entry.kind === 'error') throw new Error(`the source was not good: ${entry.error.message}`);
          if (entry.stream === 'main') this.#begun.push(entry);
        },
        pageEnd: () => undefined,
      },
      { profile: 'strict', begins: 'header', stream: 'main', extension: true, deviceStateBytes },
    );
  }

  /** The bytes to send for these. */
  push(bytes: Uint8Array): Uint8Array[] {
    this.#held = Buffer.concat([this.#held, bytes]);
    this.#dissector.push(bytes);
    const sent: Uint8Array[] = [];
    for (let record = this.#begun[0]; record !== undefined; record = this.#begun[0]) {
      const end = record.offset + record.lengthBytes - this.#start;
      if (end > this.#held.length) break;
      this.#begun.shift();
      const whole = this.#held.slice(record.offset - this.#start, end);
      this.#held = this.#held.subarray(end);
      this.#start += end;
      const { name, values } = record;
      sent.push(...(this.#edit({ name, bytes: whole, values, isPostcopy: this.#isPostcopy }) ?? [whole]));
      if (name === 'PACKAGE') this.#isPostcopy = true;
    }
    return sent;
  }
}
