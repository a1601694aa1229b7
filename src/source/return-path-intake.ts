// What has come on the return path, checked: answers, PONGs, requests, SHUT and the destination's reason.
import { LimitError, ProtocolError, StateError } from '../errors.ts';
import { hex } from '../protocol/bytes.ts';
import { NEGOTIATION_COOKIE } from '../protocol/negotiation-messages.ts';
import { RAM_BLOCK_LIMIT } from '../protocol/ram-record-decoder.ts';
import type { ReturnPathRecord } from '../protocol/return-path-decoder.ts';
import type { HostPageAnswer } from './negotiation.ts';

/** Who is told what has to be acted upon at once. */
export interface ReturnPathEvents {
  /** A request; `block` is undefined in REQ_PAGES. */
  onRequest(block: string | undefined, start: number, lengthBytes: number): void;
  /** The destination says why it leaves. */
  onReason(text: string): void;
  /** A PONG; returns whether it answers a PING that the intake knows nothing of. */
  onPong(value: number): boolean;
}

/** The return path's messages so far. */
export class ReturnPathIntake {
  /** The HOST_PAGE messages, in their order. */
  readonly answers: HostPageAnswer[] = [];
  /** Whether SHUT 0 has come. */
  hasShut = false;
  #expectsShut = false;
  readonly #pings = new Set<number>();
  readonly #pongs = new Set<number>();
  readonly #events: ReturnPathEvents;

  constructor(events: ReturnPathEvents) {
    this.#events = events;
  }

  /** Whether the PING with this value was answered. PONGs come in any order (rule S31). */
  hasPong(value: number): boolean {
    return this.#pongs.has(value);
  }

  /** A PING with this value leaves. */
  expectPong(value: number): void {
    this.#pings.add(value);
  }

  /** EOF leaves: the answer is SHUT. */
  expectShut(): void {
    this.#expectsShut = true;
  }

  /** Takes a message. @throws MigrationError for what makes the return path bad */
  take(record: ReturnPathRecord): void {
    switch (record.name) {
      case 'PONG':
        this.#takePong(record.value);
        return;
      case 'HOST_PAGE':
        this.#takeAnswer(record);
        return;
      case 'REQ_PAGES_ID':
        this.#events.onRequest(record.block, record.start, record.length);
        return;
      case 'REQ_PAGES':
        this.#events.onRequest(undefined, record.start, record.length);
        return;
      case 'SHUT':
        this.#takeShut(record.value);
        return;
      case 'REASON':
        this.#events.onReason(record.text);
        return;
      case 'RESUME_ACK':
        if (record.value === 1) return; // out of place it has no effect (rule S38)
        throw new ProtocolError('bad-resume-ack', `expected RESUME_ACK 1, found ${record.value}`, {
          rule: 'S38',
        });
      case 'SWITCHOVER_ACK':
        return; // nothing here waits for it
      default:
        throw new StateError(
          'bitmap-outside-recovery',
          `expected no ${record.name} outside of a recovery, found one`,
          { rule: 'S39' },
        );
    }
  }

  /** Each PING is answered once; in which order does not matter. */
  #takePong(value: number): void {
    if (this.#events.onPong(value)) return;
    if (!this.#pings.has(value) || this.#pongs.has(value)) {
      const found = this.#pongs.has(value) ? 'a second one' : 'one';
      const message = `expected one PONG for each PING, found ${found} with ${hex(value)}`;
      throw new ProtocolError('unexpected-pong', message, { rule: 'D22' });
    }
    this.#pongs.add(value);
  }

  #takeShut(value: number): void {
    if (value !== 0) {
      throw new ProtocolError('destination-failed', `expected SHUT 0, found SHUT ${value}`, { rule: 'S29' });
    }
    if (!this.#expectsShut) {
      throw new StateError('early-shut', 'expected SHUT after EOF was sent, found it before', {
        rule: 'D95',
      });
    }
    this.hasShut = true;
  }

  #takeAnswer(answer: HostPageAnswer): void {
    if (!this.#pings.has(NEGOTIATION_COOKIE)) {
      const message = 'expected no HOST_PAGE before the cookie was sent, found one';
      throw new StateError('unexpected-host-page', message, { rule: 'N2' });
    }
    if (this.hasPong(NEGOTIATION_COOKIE)) {
      const message = 'expected HOST_PAGE before the PONG that closes the list, found it after';
      throw new StateError('late-host-page', message, { rule: 'N5' });
    }
    if (this.answers.length > RAM_BLOCK_LIMIT) {
      const message = `expected at most ${RAM_BLOCK_LIMIT} HOST_PAGE messages, found more`;
      throw new LimitError('too-many-host-pages', message, { rule: 'N4' });
    }
    this.answers.push(answer);
  }
}
