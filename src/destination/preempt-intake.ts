// Takes the preempt channel: page records only, with a CONTINUE memory and a host page under way of its own (rule D102).
import { ProtocolError, StateError, TransportError } from '../errors.ts';
import { locate } from '../protocol/locate.ts';
import type { Profile } from '../protocol/profile.ts';
import { RamRecordDecoder, type RamSink } from '../protocol/ram-record-decoder.ts';
import type { PagePlacer } from './page-placer.ts';
import type { RamTally } from './ram-tally.ts';

/** How far the preempt channel is, where another thread takes it. */
export interface PreemptNews {
  readonly hasEnded: boolean;
  readonly isClosed: boolean;
  readonly position: number;
  readonly partial: string | undefined;
}

/** The preempt channel of an incoming migration. */
export class PreemptIntake {
  #hasEnded = false;
  readonly #decoder: RamRecordDecoder;
  #tally: RamTally | undefined;
  #placer: PagePlacer | undefined;
  #position = 0;
  #isClosed = false;
  /** Of another thread that takes the channel in place of this one. */
  #news: PreemptNews | undefined;
  readonly #profile: Profile;

  constructor(profile: Profile) {
    this.#profile = profile;
    this.#decoder = new RamRecordDecoder(this.#sink());
  }

  /** Takes what to place into; before that, nothing may come. */
  begin(tally: RamTally, placer: PagePlacer): void {
    this.#tally = tally;
    this.#placer = placer;
  }

  /** How far it is, for the thread that decides. */
  get news(): PreemptNews {
    const { partial } = this;
    return { hasEnded: this.#hasEnded, isClosed: this.#isClosed, position: this.#position, partial };
  }

  /** From LISTEN on another thread takes the channel: what still came before that came too early. */
  leave(): void {
    this.#news = this.news;
  }

  /** Goes by what another thread tells that takes the channel. @throws TransportError as `checkEnd` */
  follow(news: PreemptNews): void {
    this.#news = news;
    this.#hasEnded = news.hasEnded;
    this.#isClosed = news.isClosed;
    this.#position = news.position;
    this.checkEnd();
  }

  /** Names the host page that is under way, for messages. */
  get partial(): string | undefined {
    return this.#news === undefined ? this.#placer?.partial : this.#news.partial;
  }

  /** Throws away what came of a host page that never became whole. */
  dropPartial(): void {
    this.#placer?.dropPartial();
  }

  /** 7.2 waits for EOS; newer sources send none, and the channel has done its work when all pages are there (rule D103). */
  get isAwaited(): boolean {
    if (this.#hasEnded || this.#tally?.isPostcopy !== true) return false;
    return this.#profile !== '10.x' || !this.#tally.isWhole;
  }

  /** The source has closed the channel. */
  end(): void {
    this.#isClosed = true;
    this.checkEnd();
  }

  /** @throws TransportError `truncated` if the channel was closed before it brought all that it must */
  checkEnd(): void {
    if (!this.#isClosed || !this.isAwaited) return;
    const partial = this.partial === undefined ? '' : `; ${this.partial}`;
    throw new TransportError('truncated', `expected EOS on the preempt channel, found its end${partial}`, {
      offset: this.#position,
      stream: 'preempt',
      rule: 'D103',
    });
  }

  /** Takes bytes that were read at a time; what follows EOS is nothing. @throws MigrationError with the offset in this channel */
  push(input: Uint8Array, start: number, end: number, nowNs: number): void {
    if (this.#hasEnded) return;
    this.#placer?.readAt(nowNs);
    try {
      if (this.#tally?.isPostcopy !== true || this.#news !== undefined) {
        throw new StateError('preempt-before-listen', 'expected no page before LISTEN, found one', {
          rule: 'D102',
        });
      }
      this.#position += this.#decoder.consume(input, start, end, this.#position) - start;
    } catch (error) {
      throw locate(error, { offset: this.#decoder.recordOffset, stream: 'preempt' });
    }
    if (this.#decoder.ended) this.#hasEnded = true;
  }

  #sink(): RamSink {
    const refuse = (what: string): never => {
      throw new ProtocolError('not-a-page', `expected page records only, found ${what}`, { rule: 'D102' });
    };
    return {
      selectBlock: (name) => this.#placer!.selectBlock(name),
      page: (offset) => this.#placer!.page(offset),
      pageBytes: (input, start, end, at) => this.#placer!.pageBytes(input, start, end, at),
      zeroPage: (offset, fill) => this.#placer!.zeroPage(offset, fill),
      ramList: () => refuse('a RAM list'),
      endOfPayload: () => undefined,
      pageSizeField: (block) => refuse(`a RAM list with block '${block}'`),
    };
  }
}
