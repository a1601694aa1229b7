// Finds the end of a device section's payload, whose length nothing in the stream tells.
import { LimitError } from '../errors.ts';
import { readBe32 } from './bytes.ts';
import { Carry } from './carry.ts';
import { COMMAND_BY_CODE, COMMAND_SECTION } from './commands.ts';
import { SECTIONS } from './sections.ts';

/** A device section whose payload is longer is refused. */
export const DEVICE_STATE_LIMIT_BYTES = 32 * 1024 * 1024;

const FOOTER = SECTIONS.SECTION_FOOTER.code;
const FOOTER_BYTES = 5;
/** A section head up to the first character of its idstr: type, id, length, character. */
const SECTION_HEAD_BYTES = 7;

/** What came of input: where it was used up to, and the payload once its end is known. */
export interface Collected {
  /** Where in the input decoding goes on. */
  readonly at: number;
  readonly payload?: Uint8Array;
  /** Bytes of the footer that came with earlier input; they stand in the stream before `at`. */
  readonly rest?: Uint8Array;
}

/**
 * Collects a payload up to its footer. A footer is the byte 0x7e and the section's id, and what follows it must look
 * like the start of a section, command or EOF; device state that imitates all of that would be cut short.
 */
export class DeviceStateCollector {
  readonly #carry = new Carry();
  readonly #sectionId: number;
  readonly #exactBytes: number | undefined;
  #searchFrom = 0;

  /** `exactBytes`: the payload's length, for a device that we know. */
  constructor(sectionId: number, exactBytes: number | undefined) {
    this.#sectionId = sectionId;
    this.#exactBytes = exactBytes;
  }

  /** Takes `input[start..end)` up to the footer. @throws LimitError `device-state-too-large` */
  collect(input: Uint8Array, start: number, end: number): Collected {
    if (this.#exactBytes !== undefined) {
      const at = start + this.#carry.topUp(input, start, end, this.#exactBytes);
      return this.#carry.length === this.#exactBytes ? { at, payload: this.#carry.take() } : { at };
    }
    // A payload that stands whole in the input is found there, so that many small ones are not copied many times.
    if (this.#carry.length === 0) {
      const within = Math.min(end, start + DEVICE_STATE_LIMIT_BYTES);
      const { footerAt, searched } = findFooter(input, start, within, this.#sectionId);
      if (footerAt >= 0) return { at: footerAt, payload: input.slice(start, footerAt) };
      this.#searchFrom = searched - start;
    }
    return this.#collectInCarry(input, start, end);
  }

  #collectInCarry(input: Uint8Array, start: number, end: number): Collected {
    const earlierBytes = this.#carry.length;
    const at = start + this.#carry.topUp(input, start, end, DEVICE_STATE_LIMIT_BYTES);
    const { bytes, length } = this.#carry;
    const { footerAt, searched } = findFooter(bytes, this.#searchFrom, length, this.#sectionId);
    this.#searchFrom = searched;
    if (footerAt >= 0) {
      const all = this.#carry.take();
      const payload = all.subarray(0, footerAt);
      if (footerAt >= earlierBytes) return { at: start + footerAt - earlierBytes, payload };
      return { at: start, payload, rest: all.subarray(footerAt, earlierBytes) };
    }
    if (length === DEVICE_STATE_LIMIT_BYTES) {
      throw new LimitError(
        'device-state-too-large',
        `expected the footer of section ${this.#sectionId} within ${DEVICE_STATE_LIMIT_BYTES} bytes, found none`,
      );
    }
    return { at };
  }
}

/** Where the footer begins, or -1 and from where a search of more bytes must go on. */
function findFooter(
  bytes: Uint8Array,
  from: number,
  end: number,
  sectionId: number,
): { footerAt: number; searched: number } {
  let at = from;
  for (; at + FOOTER_BYTES < end; at += 1) {
    if (bytes[at] !== FOOTER || readBe32(bytes, at + 1) !== sectionId) continue;
    const follows = looksLikeSection(bytes, at + FOOTER_BYTES, end);
    if (follows === 'yes') return { footerAt: at, searched: at };
    if (follows === 'more') break;
  }
  return { footerAt: -1, searched: at };
}

/** Whether what stands at `at` can be the start of a section; `more` when that takes more bytes to tell. */
function looksLikeSection(bytes: Uint8Array, at: number, end: number): 'yes' | 'no' | 'more' {
  switch (bytes[at]) {
    case SECTIONS.EOF.code:
    case SECTIONS.SECTION_PART.code:
    case SECTIONS.SECTION_END.code:
      return 'yes';
    case SECTIONS.SECTION_START.code:
    case SECTIONS.SECTION_FULL.code: {
      if (end - at < SECTION_HEAD_BYTES) return 'more';
      const first = bytes[at + SECTION_HEAD_BYTES - 1]!;
      return bytes[at + SECTION_HEAD_BYTES - 2]! > 0 && first > 0x20 && first < 0x7f ? 'yes' : 'no';
    }
    case COMMAND_SECTION:
      if (end - at < 3) return 'more';
      return COMMAND_BY_CODE.has(bytes[at + 1]! * 256 + bytes[at + 2]!) ? 'yes' : 'no';
    default:
      return 'no';
  }
}
