// The deciding half of a scripted destination: takes the dissected stream, and tells what to say. No I/O, no clock.
import type { TimedEntry, TimedSink } from '../analysis/timed-entry.ts';
import type { DissectedRecord } from '../protocol/dissection-entry.ts';
import { NEGOTIATION_COOKIE } from '../protocol/negotiation-messages.ts';
import { encodeReceivedBitmap } from '../protocol/received-bitmap.ts';
import { encodeReturnPath } from '../protocol/return-path-messages.ts';
import type { DestinationScript, Moment } from './destination-script.ts';
import { type HostPage, RamAsReceived } from './ram-as-received.ts';
import { PageAsker } from './request-plan.ts';
import type { Subject } from './subject.ts';

/** What a scripted destination does. */
export interface DestinationActions {
  /** Puts bytes on the return path of the main channel. */
  say(bytes: Uint8Array): void;
  /** Drops all connections. */
  drop(): void;
  /** Ends the return path in order: all has been said. */
  end(): void;
  /** Says nothing for a while, in which the source must not do anything, and then goes on. */
  hold(then: () => void): void;
}

const AFTER_PAGES = 16;
const BITMAP_MARK_BYTES = 8;

/** One run's destination. */
export class ScriptedDestination implements TimedSink {
  readonly ram = new RamAsReceived();
  /** Host pages that it lost, as it told the source in a recovery. */
  lost: readonly HostPage[] = [];
  readonly #script: DestinationScript;
  readonly #subject: Subject;
  readonly #actions: DestinationActions;
  readonly #asker: PageAsker | undefined;
  readonly #seen = new Set<Moment>();
  readonly #cameInPostcopy: HostPage[] = [];
  #isPostcopy = false;
  #isAsking = false;
  #isSilent = false;
  #heldPong: number | undefined;
  #hasEof = false;
  #hasPreemptEos = false;
  #hasShut = false;
  #recordsInPostcopy = 0;
  #mainConn = 0;

  constructor(script: DestinationScript, subject: Subject, actions: DestinationActions) {
    this.#subject = subject;
    this.#script = script;
    this.#actions = actions;
    this.#asker = script.asks === undefined ? undefined : new PageAsker(script.asks, this.ram);
  }

  entry({ conn, dir, entry }: TimedEntry): void {
    if (dir === 'ret' || entry.kind === 'error') return;
    this.ram.take(entry, conn);
    if (entry.stream === 'preempt') this.#preemptRecord(entry);
    else this.#mainRecord(entry, conn);
  }

  pageBytes(conn: number, input: Uint8Array, start: number, end: number, at: number): void {
    this.ram.pageBytes(conn, input, start, end, at);
  }

  pageEnd(): void {
    this.#ask();
  }

  #preemptRecord({ name, values }: DissectedRecord): void {
    if (name === 'PAGE' || name === 'ZERO') this.#page(name, values);
    if (name !== 'EOS') return;
    this.#hasPreemptEos = true;
    if (this.#hasEof) this.#shut();
  }

  #mainRecord({ name, values, stream }: DissectedRecord, conn: number): void {
    if (conn !== this.#mainConn) {
      this.#mainConn = conn;
      this.#isSilent = false;
      this.#reach('recovering');
    }
    if (this.#isSilent) return;
    switch (name) {
      case 'PING':
        this.#ping(values['value'] as number, stream === 'package');
        break;
      case 'PAGE':
      case 'ZERO':
        this.#page(name, values);
        break;
      case 'POSTCOPY_LISTEN':
        this.#isPostcopy = true;
        this.#isAsking = this.#script.asks?.from === 'listen';
        this.#ask();
        break;
      case 'POSTCOPY_RUN':
        this.#isAsking = this.#asker !== undefined;
        this.#reach('running');
        this.#ask();
        break;
      case 'RECV_BITMAP':
        this.#tellReceived(values['block'] as string);
        break;
      case 'POSTCOPY_RESUME':
        this.#acknowledge(this.#script.recovery?.ack ?? 1);
        break;
      case 'EOF':
        this.#endOfStream();
        break;
      default:
      // Nothing is said to it.
    }
  }

  #ping(value: number, isInPackage: boolean): void {
    this.#reach(isInPackage ? 'package-ping' : 'negotiation');
    if (this.#isSilent) return;
    if (value === NEGOTIATION_COOKIE) {
      for (const answer of this.#script.hostPages?.(this.#subject) ?? []) {
        this.#actions.say(encodeReturnPath('HOST_PAGE', answer));
      }
    }
    const pong = encodeReturnPath('PONG', { value });
    const isFirst = !this.#isPostcopy && value === NEGOTIATION_COOKIE;
    if (isFirst && this.#script.holdsFirstPong === true) {
      this.#actions.hold(() => this.#actions.say(pong));
    } else if (isInPackage && this.#script.packagePongLast === true) {
      this.#heldPong = value;
    } else {
      this.#actions.say(pong);
      if (this.#heldPong !== undefined) {
        this.#actions.say(encodeReturnPath('PONG', { value: this.#heldPong }));
        this.#heldPong = undefined;
      }
    }
  }

  #page(name: string, values: DissectedRecord['values']): void {
    if (!this.#isPostcopy) {
      this.#reach('precopy');
      return;
    }
    this.#recordsInPostcopy += 1;
    const block = values['block'] as string;
    const pages = this.ram.blocks.get(block)?.pages;
    if (pages !== undefined) {
      const page = { block, index: pages.hostPageAt(values['offset'] as number) };
      if (this.ram.isHeld(page)) this.#cameInPostcopy.push(page);
    }
    if (this.#recordsInPostcopy === AFTER_PAGES) this.#reach('after-pages');
    const { recovery } = this.#script;
    if (
      recovery !== undefined &&
      this.#mainConn === 0 &&
      this.#recordsInPostcopy === recovery.cutAfterPages
    ) {
      this.#isSilent = true;
      this.lost = this.#cameInPostcopy.slice(0, recovery.lostPages);
      this.#actions.drop();
    }
    if (name === 'ZERO') this.#ask();
  }

  #ask(): void {
    if (!this.#isAsking || this.#isSilent || this.#hasShut) return;
    for (const request of this.#asker!.next()) this.#actions.say(request);
  }

  #tellReceived(block: string): void {
    if (this.ram.blocks.get(block) === undefined) return;
    const { bitmap = 'right' } = this.#script.recovery ?? {};
    const bits = this.ram.receivedBits(block, this.lost);
    const encoded = encodeReceivedBitmap(bitmap === 'too-short' ? bits.subarray(0, bits.length - 8) : bits);
    if (bitmap === 'without-mark') encoded.fill(0, encoded.length - BITMAP_MARK_BYTES);
    this.#actions.say(encodeReturnPath('RECV_BITMAP', { block }));
    this.#actions.say(encoded);
    if (bitmap !== 'right') this.#isSilent = true;
  }

  #acknowledge(value: number): void {
    const ack = encodeReturnPath('RESUME_ACK', { value });
    if (value !== 1) this.#isSilent = true;
    this.#actions.hold(() => this.#actions.say(ack));
  }

  #endOfStream(): void {
    this.#hasEof = true;
    this.#reach('eof');
    if (this.#isSilent) return;
    // A destination of 7.2 joins the reader of its preempt channel first (rule D103).
    const awaitsEos = this.#script.start === 'preempt' && this.#isPostcopy && !this.#hasPreemptEos;
    const holds = this.#script.holdsShut === true || !this.#isPostcopy || awaitsEos;
    if (holds) this.#actions.hold(() => this.#shut());
    else this.#shut();
  }

  #shut(): void {
    if (this.#hasShut || this.#isSilent) return;
    this.#hasShut = true;
    this.#actions.say(encodeReturnPath('SHUT', { value: 0 }));
    this.#actions.end();
  }

  /** Says what the scenario has for a moment, when it comes first. */
  #reach(moment: Moment): void {
    const { says } = this.#script;
    if (this.#seen.has(moment) || says?.at !== moment || this.#isSilent) return;
    this.#seen.add(moment);
    const bytes = says.bytes({ ram: this.ram, subject: this.#subject });
    if (bytes.length > 0) this.#actions.say(bytes);
    if (!says.goesOn) this.#isSilent = true;
    if (says.thenCloses === true) this.#actions.drop();
  }
}
