// Decodes the return path as a push parser.
import { LimitError, MigrationError, ProtocolError, TransportError } from '../errors.ts';
import { hex } from './bytes.ts';
import { Carry } from './carry.ts';
import { locate } from './locate.ts';
import { type Profile, refuses } from './profile.ts';
import { BITMAP_END_BYTES, BITMAP_SIZE_BYTES, checkBitmapEnd, readBitmapSize } from './received-bitmap.ts';
import {
  RETURN_PATH_BY_CODE,
  RETURN_PATH_LIMIT_BYTES,
  type ReturnPathMessage,
} from './return-path-messages.ts';

/** The bits that follow a RECV_BITMAP message. */
export interface ReceivedBitmap {
  readonly name: 'RECEIVED_BITMAP';
  readonly block: string;
  /** Bit i of byte i/8, least significant first, stands for target page i. */
  readonly bits: Uint8Array;
}

/** What the return path carries. */
export type ReturnPathRecord = ReturnPathMessage | ReceivedBitmap;

/** Takes a decoded record; `offset` and `length` tell where it stood in the stream, in bytes. */
export type ReturnPathSink = (record: ReturnPathRecord, offset: number, length: number) => void;

/** How a return path is to be read. */
export interface ReturnPathOptions {
  readonly profile: Profile;
  /** A received bitmap with more bytes is refused; default 64 MiB, enough for 2 TiB of RAM. */
  readonly bitmapLimitBytes?: number;
}

const HEAD_BYTES = 4;

/** Push parser of the return path. */
export class ReturnPathDecoder {
  /** Whether the messages of host page negotiation may come: set once the cookie was sent. */
  extension = false;
  readonly #sink: ReturnPathSink;
  readonly #profile: Profile;
  readonly #bitmapLimitBytes: number;
  readonly #carry = new Carry();
  #wanted = HEAD_BYTES;
  #streamOffset = 0;
  #bitmapBlock: string | undefined;
  /** What was thrown: bytes behind it have no meaning, so it is thrown again. */
  #failure: { readonly error: unknown } | undefined;

  constructor(sink: ReturnPathSink, options: ReturnPathOptions) {
    this.#sink = sink;
    this.#profile = options.profile;
    this.#bitmapLimitBytes = options.bitmapLimitBytes ?? 64 * 1024 * 1024;
  }

  /**
   * Decodes input of any length.
   *
   * @throws MigrationError with offset and stream for a message it must refuse; from then on the same, whatever comes
   */
  push(input: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    let at = 0;
    while (at < input.length) {
      const recordOffset = this.#streamOffset + at - this.#carry.length;
      at += this.#carry.topUp(input, at, input.length, this.#wanted);
      if (this.#carry.length < this.#wanted) break;
      try {
        this.#decode(recordOffset);
      } catch (error) {
        this.#failure = { error: locate(error, { offset: recordOffset, stream: 'return path' }) };
        throw this.#failure.error;
      }
    }
    this.#streamOffset += input.length;
  }

  /** Tells that the input has ended. @throws TransportError `truncated` inside a message */
  end(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#carry.length === 0 && this.#bitmapBlock === undefined) return;
    throw new TransportError(
      'truncated',
      `expected ${this.#wanted} bytes of a return-path message, found ${this.#carry.length} and the end`,
      { offset: this.#streamOffset - this.#carry.length, stream: 'return path' },
    );
  }

  #decode(recordOffset: number): void {
    if (this.#bitmapBlock !== undefined) {
      this.#decodeBitmap(this.#bitmapBlock, recordOffset);
      return;
    }
    const bytes = this.#carry.bytes;
    const code = bytes[0]! * 256 + bytes[1]!;
    const length = bytes[2]! * 256 + bytes[3]!;
    const type = RETURN_PATH_BY_CODE.get(code);
    if (type === undefined || refuses(type, this.#profile, this.extension)) {
      const known = type === undefined ? '' : ` (${type.name}, not legal here)`;
      throw new ProtocolError(
        'unknown-return-path-type',
        `expected a return-path type, found ${hex(code, 4)}${known}`,
        {
          rule: 'S27',
        },
      );
    }
    if (type.fixedBytes !== undefined && type.fixedBytes !== length) {
      throw new ProtocolError(
        'bad-return-path-length',
        `${type.name}: expected length ${type.fixedBytes}, found ${length}`,
        { rule: 'S28' },
      );
    }
    if (length > RETURN_PATH_LIMIT_BYTES) {
      throw new LimitError(
        'return-path-too-long',
        `${type.name}: expected at most ${RETURN_PATH_LIMIT_BYTES} bytes, found ${length}`,
        { rule: 'S28' },
      );
    }
    if (this.#carry.length < HEAD_BYTES + length) {
      this.#wanted = HEAD_BYTES + length;
      return;
    }
    const values = this.#decodeValues(type, bytes.subarray(HEAD_BYTES, HEAD_BYTES + length));
    const record = { name: type.name, ...values } as ReturnPathMessage;
    this.#next(HEAD_BYTES);
    if (record.name === 'RECV_BITMAP') {
      this.#bitmapBlock = record.block;
      this.#wanted = BITMAP_SIZE_BYTES;
    }
    this.#sink(record, recordOffset, HEAD_BYTES + length);
  }

  #decodeValues(
    type: { name: string; extension?: true; decode(bytes: Uint8Array): object },
    payload: Uint8Array,
  ): object {
    try {
      return type.decode(payload);
    } catch (error) {
      if (!(error instanceof MigrationError) || error.code !== 'bad-payload') throw error;
      const rule = type.extension === true ? 'N5' : type.name === 'REQ_PAGES_ID' ? 'S26' : 'S28';
      throw new ProtocolError('bad-return-path-length', error.message, { rule });
    }
  }

  #decodeBitmap(block: string, recordOffset: number): void {
    const sizeBytes = readBitmapSize(this.#carry.bytes, 0);
    if (sizeBytes > this.#bitmapLimitBytes) {
      throw new LimitError(
        'bitmap-too-large',
        `received bitmap of '${block}': expected at most ${this.#bitmapLimitBytes} bytes, found ${sizeBytes}`,
      );
    }
    const wholeBytes = BITMAP_SIZE_BYTES + sizeBytes + BITMAP_END_BYTES;
    if (this.#carry.length < wholeBytes) {
      this.#wanted = wholeBytes;
      return;
    }
    checkBitmapEnd(this.#carry.bytes, BITMAP_SIZE_BYTES + sizeBytes);
    const bits = this.#carry.bytes.slice(BITMAP_SIZE_BYTES, BITMAP_SIZE_BYTES + sizeBytes);
    this.#bitmapBlock = undefined;
    this.#next(HEAD_BYTES);
    this.#sink({ name: 'RECEIVED_BITMAP', block, bits }, recordOffset, wholeBytes);
  }

  #next(wanted: number): void {
    this.#carry.drop(this.#carry.length);
    this.#wanted = wanted;
  }
}
