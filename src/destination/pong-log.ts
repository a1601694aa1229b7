// When the first PINGs were answered: by that a source's clock is aligned with ours.
import { PING_LIMIT, type PongRecord } from '../telemetry/request-record.ts';

/** Bounded: a long migration has a PING for every few pages. */
export class PongLog {
  readonly records: PongRecord[] = [];

  /** A PING is answered now. */
  answered(value: number, nowNs: number): void {
    if (this.records.length < PING_LIMIT) this.records.push({ value, answeredNs: nowNs });
  }
}
