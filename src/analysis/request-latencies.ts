// Page requests and how long each took until the last byte of its page had passed.
import { nearestRank } from '../telemetry/percentile.ts';

/** A request that is waited for. */
interface Pending {
  readonly tSeconds: number | undefined;
  readonly offset: number;
  count: number;
}

/** Requests by what became of them. Latencies in ns. */
export interface RequestFigures {
  readonly count: number;
  /** Answered by a page that had not passed when the request did. */
  readonly answered: number;
  /** For a page that had passed already: the two crossed on the wire, and no answer is due (rule S21). */
  readonly alreadySent: number;
  /** For a page that another request was waiting for (rule D93). */
  readonly repeated: number;
  readonly unanswered: number;
  /** From the request to the last byte of its page, as seen where it was recorded; null without times. */
  readonly latencyNs: {
    readonly minimum: number;
    readonly median: number;
    readonly p99: number;
    readonly maximum: number;
    readonly mean: number;
  } | null;
}

/** Keeps requests until their page has passed. */
export class RequestLatencies {
  readonly #pending = new Map<string, Pending>();
  readonly #latenciesNs: number[] = [];
  #count = 0;
  #answered = 0;
  #alreadySent = 0;
  #repeated = 0;

  /** Notes a request for one host page. */
  request(key: string, isHeld: boolean, tSeconds: number | undefined, offset: number): void {
    this.#count += 1;
    const pending = this.#pending.get(key);
    if (isHeld) this.#alreadySent += 1;
    else if (pending === undefined) this.#pending.set(key, { tSeconds, offset, count: 1 });
    else {
      pending.count += 1;
      this.#repeated += 1;
    }
  }

  /** Whether anything is waited for. */
  get isIdle(): boolean {
    return this.#pending.size === 0;
  }

  /** Notes that a host page is held from now on. */
  arrived(key: string, tSeconds: number | undefined): void {
    const pending = this.#pending.get(key);
    if (pending === undefined) return;
    this.#pending.delete(key);
    this.#answered += 1;
    if (tSeconds === undefined || pending.tSeconds === undefined) return;
    this.#latenciesNs.push(Math.round((tSeconds - pending.tSeconds) * 1e9));
  }

  /** Requests that nothing has answered. */
  unanswered(): readonly {
    readonly key: string;
    readonly tSeconds: number | undefined;
    readonly offset: number;
  }[] {
    return [...this.#pending].map(([key, { tSeconds, offset }]) => ({ key, tSeconds, offset }));
  }

  /** The figures so far. */
  figures(): RequestFigures {
    const sorted = Float64Array.from(this.#latenciesNs).sort();
    const sum = sorted.reduce((total, latency) => total + latency, 0);
    const latencyNs =
      sorted.length === 0
        ? null
        : {
            minimum: sorted[0]!,
            median: nearestRank(sorted, 500)!,
            p99: nearestRank(sorted, 990)!,
            maximum: sorted.at(-1)!,
            mean: Math.round(sum / sorted.length),
          };
    return {
      count: this.#count,
      answered: this.#answered,
      alreadySent: this.#alreadySent,
      repeated: this.#repeated,
      unanswered: this.#pending.size,
      latencyNs,
    };
  }
}
