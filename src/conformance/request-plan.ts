// Which pages a scripted destination asks its source for, and in which order.
import { mix32 } from '../machine/mix32.ts';
import { encodeReturnPath } from '../protocol/return-path-messages.ts';
import type { HostPage, RamAsReceived } from './ram-as-received.ts';

/** How a scripted destination asks for pages. */
export interface RequestPlan {
  readonly order: 'ascending' | 'descending' | 'random';
  /** Requests that are under way at once. */
  readonly outstanding: number;
  /** When it begins to ask: a destination may as soon as LISTEN was processed. */
  readonly from: 'listen' | 'run';
  /** Asks for each page so many times, one right behind the other. */
  readonly times: number;
  /** Asks for each page once more when it has come: nothing may answer. */
  readonly againWhenHeld: boolean;
  /** Asks no more after so many pages. */
  readonly limit: number;
}

const SEED = 7;

/** Asks for pages that are missing. */
export class PageAsker {
  readonly #plan: RequestPlan;
  readonly #ram: RamAsReceived;
  readonly #pending: HostPage[] = [];
  #queue: HostPage[] | undefined;
  #asked = 0;
  #lastNamed: string | undefined;

  constructor(plan: RequestPlan, ram: RamAsReceived) {
    this.#plan = plan;
    this.#ram = ram;
  }

  /** The requests to send now; empty while enough are under way, or when all has been asked for. */
  next(): Uint8Array[] {
    const { outstanding, times, againWhenHeld, limit } = this.#plan;
    this.#queue ??= this.#order(this.#ram.hostPages((page) => !this.#ram.isHeld(page)));
    const arrived = this.#pending.filter((page) => this.#ram.isHeld(page));
    const requests = againWhenHeld ? arrived.map((page) => this.#request(page)) : [];
    for (const page of arrived) this.#pending.splice(this.#pending.indexOf(page), 1);
    while (this.#pending.length < outstanding && this.#asked < limit) {
      const page = this.#queue.shift();
      if (page === undefined) break;
      if (this.#ram.isHeld(page)) continue;
      this.#pending.push(page);
      this.#asked += 1;
      for (let time = 0; time < times; time += 1) requests.push(this.#request(page));
    }
    return requests;
  }

  #order(missing: HostPage[]): HostPage[] {
    if (this.#plan.order === 'ascending') return missing;
    if (this.#plan.order === 'descending') return missing.reverse();
    const keyed = missing.map((page, at) => ({ page, key: mix32(at + SEED) }));
    return keyed.sort((one, other) => one.key - other.key).map(({ page }) => page);
  }

  /** Names the block only where it differs from the last one's, as a destination does (rule D91). */
  #request({ block, index }: HostPage): Uint8Array {
    const { hostPageBytes } = this.#ram.blocks.get(block)!.pages;
    const start = index * hostPageBytes;
    const isNamed = block !== this.#lastNamed;
    this.#lastNamed = block;
    return isNamed
      ? encodeReturnPath('REQ_PAGES_ID', { start, length: hostPageBytes, block })
      : encodeReturnPath('REQ_PAGES', { start, length: hostPageBytes });
  }
}
