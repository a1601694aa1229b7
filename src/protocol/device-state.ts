// Finds the end of a device section's payload, whose length nothing in the stream tells.
import { LimitError } from '../errors.ts';
import { readBe32 } from './bytes.ts';
import { Carry } from './carry.ts';
import { COMMAND_BY_CODE, COMMAND_SECTION } from './commands.ts';
import { SECTIONS } from './sections.ts';

/** A device section whose payload is longer is refused. */
export const DEVICE_STATE_LIMIT_BYTES = 32 * 1024 * 1024;

/** So much is copied between two searches: all input at once would be copied again for each of many small devices. */
const SEARCH_STEP_BYTES = 4096;

const FOOTER = SECTIONS.SECTION_FOOTER.code;
const FOOTER_BYTES = 5;
/** A section head up to the first character of its idstr: type, id, length, character. */
const SECTION_HEAD_BYTES = 7;

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

  /**
   * Takes input up to the footer. `payload` is set when the footer was found; `at` then stands where the footer
   * begins. If that is before `start`, in input that was given earlier, the few bytes from there on are in `rest`.
   */
  collect(
    input: Uint8Array,
    start: number,
    end: number,
  ): { at: number; payload?: Uint8Array; rest?: Uint8Array } {
    if (this.#exactBytes !== undefined) {
      const at = start + this.#carry.topUp(input, start, end, this.#exactBytes);
      return this.#carry.length === this.#exactBytes ? { at, payload: this.#carry.take() } : { at };
    }
    const heldBytes = this.#carry.length;
    for (let at = start; ; ) {
      at += this.#carry.topUp(input, at, Math.min(end, at + SEARCH_STEP_BYTES), DEVICE_STATE_LIMIT_BYTES);
      const footerAt = this.#findFooter();
      if (footerAt >= 0) {
        const all = this.#carry.take();
        const payload = all.subarray(0, footerAt);
        if (footerAt >= heldBytes) return { at: start + footerAt - heldBytes, payload };
        return { at: start, payload, rest: all.subarray(footerAt, heldBytes) };
      }
      if (this.#carry.length === DEVICE_STATE_LIMIT_BYTES) {
        throw new LimitError(
          'device-state-too-large',
          `expected the footer of section ${this.#sectionId} within ${DEVICE_STATE_LIMIT_BYTES} bytes, found none`,
        );
      }
      if (at === end) return { at };
    }
  }

  #findFooter(): number {
    const { bytes, length } = this.#carry;
    for (let at = this.#searchFrom; at + FOOTER_BYTES < length; at += 1) {
      if (bytes[at] === FOOTER && readBe32(bytes, at + 1) === this.#sectionId) {
        const follows = looksLikeSection(bytes, at + FOOTER_BYTES, length);
        if (follows === 'yes') return at;
        if (follows === 'more') {
          this.#searchFrom = at;
          return -1;
        }
      }
      this.#searchFrom = at + 1;
    }
    return -1;
  }
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
