// What has come on the return path, checked: answers, PONGs, requests, SHUT and the destination's reason.
import { ProtocolError, StateError } from '../errors.ts';
import { NEGOTIATION_COOKIE } from '../protocol/negotiation-messages.ts';
import type { ReturnPathRecord } from '../protocol/return-path-decoder.ts';
import type { HostPageAnswer } from './negotiation.ts';

/** Who is told what has to be acted upon at once. */
export interface ReturnPathEvents {
  /** A request; `block` is undefined in REQ_PAGES. */
  onRequest(block: string | undefined, start: number, lengthBytes: number): void;
  /** The destination says why it leaves. */
  onReason(text: string): void;
}

/** The return path's messages so far. */
export class ReturnPathIntake {
  /** The HOST_PAGE messages, in their order. */
  readonly answers: HostPageAnswer[] = [];
  /** Whether SHUT 0 has come. */
  hasShut = false;
  readonly #pongs = new Set<number>();
  readonly #events: ReturnPathEvents;

  constructor(events: ReturnPathEvents) {
    this.#events = events;
  }

  /** Whether the PING with this value was answered. PONGs come in any order (rule S31). */
  hasPong(value: number): boolean {
    return this.#pongs.has(value);
  }

  /** Takes a message. @throws MigrationError for what makes the return path bad */
  take(record: ReturnPathRecord): void {
    switch (record.name) {
      case 'PONG':
        this.#pongs.add(record.value);
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
        if (record.value !== 0) {
          const message = `expected SHUT 0, found SHUT ${record.value}`;
          throw new ProtocolError('destination-failed', message, { rule: 'S29' });
        }
        this.hasShut = true;
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

  #takeAnswer(answer: HostPageAnswer): void {
    if (this.hasPong(NEGOTIATION_COOKIE)) {
      const message = 'expected HOST_PAGE before the PONG that closes the list, found it after';
      throw new StateError('late-host-page', message, { rule: 'N5' });
    }
    this.answers.push(answer);
  }
}
