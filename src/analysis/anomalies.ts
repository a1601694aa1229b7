// What a recorded migration does against the rules of the format (docs/protocol.md), counted by rule.

/** What each rule that is watched asks for. */
export const WATCHED_RULES = {
  D22: 'every PING is answered by a PONG of its value, and nothing else is',
  D33: 'discards come after ADVISE and before LISTEN',
  D38: 'a discard names a listed block',
  D39: 'a discarded range begins at a host page',
  D40: 'a discarded range is whole host pages long',
  D41: 'a discarded range ends within its block',
  D70: 'a page belongs to a listed block',
  D71: 'a page lies within its block',
  D79: 'in postcopy a host page comes whole before the next one begins on its channel',
  D90: 'a request is for one host page',
  D95: 'SHUT comes after EOF, where there is a return path',
  S3: "ADVISE's summary is the OR of the page sizes of the listed blocks",
  S7: 'the first page after the discards carries the name of its block',
  S9: 'a ZERO record is filled with 0',
  S12: 'every page that was not sent before the switchover is discarded',
  S13: 'a discard has 1 to 12 ranges',
  S15: 'the package begins with LISTEN, ends with RUN, and carries devices and PINGs in between',
  S17: 'behind the package come only PING, PART, END, EOF and what recovery needs',
  S18: 'no page is sent twice in postcopy',
  S19: 'no page is sent in postcopy that was sent before and not discarded',
  S20: 'every request for a missing page is answered',
  S22: 'a request is in whole 4 KiB pages',
  S23: 'the first request names its block',
  S24: 'a request is for a listed block',
  S25: 'a request ends within its block',
  S29: 'SHUT tells success',
  S32: 'nothing follows EOF in postcopy',
  S33: 'END comes when no discarded page is left to send',
  S42: 'a host page of postcopy comes on one channel',
  vmdesc: 'a device state is as long as the VM description says',
} as const;

/** Id of a watched rule; `vmdesc` stands for what the format has no number for. */
export type WatchedRule = keyof typeof WATCHED_RULES;

/** Where an anomaly was seen. */
export interface AnomalyPlace {
  readonly tSeconds?: number | undefined;
  readonly conn?: number;
  readonly dir?: 'fwd' | 'ret';
  /** Offset in its stream, in bytes. */
  readonly offset?: number;
}

/** One sighting, in words. */
export interface Sighting extends AnomalyPlace {
  readonly found: string;
}

/** All sightings against one rule; only the first few are told one by one. */
export interface Anomaly {
  readonly rule: string;
  readonly expected: string;
  readonly count: number;
  readonly first: readonly Sighting[];
}

const TOLD_COUNT = 5;

/** Collects anomalies. */
export class AnomalyLog {
  readonly #byRule = new Map<string, { expected: string; count: number; first: Sighting[] }>();

  /** Notes something against a rule. `count`: how many times, when one sentence is enough for all. */
  note(rule: WatchedRule, found: string, place: AnomalyPlace = {}, count = 1): void {
    this.#add(rule, WATCHED_RULES[rule], { ...place, found }, count);
  }

  /** Notes the error at which a stream could not be decoded on. */
  noteBroken(rule: string | undefined, code: string, found: string, place: AnomalyPlace): void {
    this.#add(rule ?? code, 'the stream can be decoded to its end', { ...place, found }, 1);
  }

  #add(rule: string, expected: string, sighting: Sighting, count: number): void {
    const known = this.#byRule.get(rule) ?? { expected, count: 0, first: [] };
    this.#byRule.set(rule, known);
    known.count += count;
    if (known.first.length < TOLD_COUNT) known.first.push(sighting);
  }

  /** All anomalies in the order in which their rules were first broken. */
  list(): Anomaly[] {
    return [...this.#byRule].map(([rule, anomaly]) => ({ rule, ...anomaly }));
  }
}
