// Follows the states of a migration, and watches what may come in which.
import type { AnomalyLog, AnomalyPlace } from './anomalies.ts';

/** States of a migration as its stream shows them. */
export type StreamState =
  | 'setup'
  | 'advise'
  | 'active'
  | 'discard'
  | 'listening'
  | 'running'
  | 'completing'
  | 'ended'
  | 'shut';

/** When a state began. */
export interface StateChange {
  readonly state: StreamState;
  readonly tSeconds: number | undefined;
  readonly offset: number | undefined;
}

/** The state that a record begins. */
const BEGINS: Readonly<Record<string, StreamState>> = {
  HEADER: 'setup',
  POSTCOPY_ADVISE: 'advise',
  SECTION_PART: 'active',
  POSTCOPY_RAM_DISCARD: 'discard',
  POSTCOPY_LISTEN: 'listening',
  POSTCOPY_RUN: 'running',
  POSTCOPY_RESUME: 'running',
  SECTION_END: 'completing',
  EOF: 'ended',
};

/** PART goes on in postcopy too, so it begins `active` only from these. */
const BEFORE_ACTIVE: readonly (StreamState | undefined)[] = [undefined, 'setup', 'advise'];
const IN_PACKAGE = new Set([
  'POSTCOPY_LISTEN',
  'SECTION_FULL',
  'DEVICE_STATE',
  'SECTION_FOOTER',
  'PING',
  'POSTCOPY_RUN',
]);
const BEHIND_PACKAGE = new Set([
  'PING',
  'SECTION_PART',
  'SECTION_END',
  'SECTION_FOOTER',
  'PAGE',
  'ZERO',
  'EOS',
  'EOF',
  'RECV_BITMAP',
  'POSTCOPY_RESUME',
  'REASON',
]);

/** Where a migration stands. */
export class OrderWatch {
  readonly changes: StateChange[] = [];
  readonly #anomalies: AnomalyLog;
  #state: StreamState | undefined;
  #isPostcopy = false;
  #packageIsOver = false;
  #packageHasBegun = false;
  #lastInPackage: string | undefined;

  constructor(anomalies: AnomalyLog) {
    this.#anomalies = anomalies;
  }

  /** State now. */
  get state(): StreamState | undefined {
    return this.#state;
  }

  /** Whether LISTEN has come: pages follow postcopy's rules. */
  get isPostcopy(): boolean {
    return this.#isPostcopy;
  }

  /** Notes a record of the main channel or of the package in it. */
  record(name: string, isInPackage: boolean, place: AnomalyPlace): void {
    if (name === 'PACKAGE') this.#beginPackage();
    else if (isInPackage) this.#inPackage(name, place);
    else this.#endPackage(name, place);
    const next = BEGINS[name];
    if (name === 'POSTCOPY_LISTEN') this.#isPostcopy = true;
    if (next === undefined || next === this.#state) return;
    if (next === 'active' && !BEFORE_ACTIVE.includes(this.#state)) return;
    if (next === 'completing' && this.#state !== 'running' && this.#isPostcopy) return;
    this.change(next, place);
  }

  /** Begins a state. */
  change(state: StreamState, { tSeconds, offset }: AnomalyPlace): void {
    this.#state = state;
    this.changes.push({ state, tSeconds, offset });
  }

  #beginPackage(): void {
    this.#packageHasBegun = true;
    this.#lastInPackage = undefined;
  }

  #inPackage(name: string, place: AnomalyPlace): void {
    if (this.#lastInPackage === undefined && name !== 'POSTCOPY_LISTEN') {
      this.#anomalies.note('S15', `${name} at the start of the package`, place);
    }
    if (!IN_PACKAGE.has(name)) this.#anomalies.note('S15', `${name} in the package`, place);
    this.#lastInPackage = name;
  }

  #endPackage(name: string, place: AnomalyPlace): void {
    if (this.#packageHasBegun && !this.#packageIsOver) {
      this.#packageIsOver = true;
      if (this.#lastInPackage !== 'POSTCOPY_RUN') {
        this.#anomalies.note('S15', `${this.#lastInPackage ?? 'nothing'} at the end of the package`, place);
      }
    }
    if (!this.#packageIsOver || BEHIND_PACKAGE.has(name)) return;
    this.#anomalies.note(this.#state === 'ended' ? 'S32' : 'S17', `${name} behind the package`, place);
  }
}
