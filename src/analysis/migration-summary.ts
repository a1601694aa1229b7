// Sums a migration up from its dissection: states, pages, requests, discards, bytes, anomalies.
import type { DissectedRecord } from '../protocol/dissection-entry.ts';
import type { ByteRange } from '../protocol/fields.ts';
import { type Anomaly, AnomalyLog } from './anomalies.ts';
import type { BlockFigures } from './block-pages.ts';
import { ByteClasses, placeOf } from './byte-classes.ts';
import { type DeviceFigures, describeDevices } from './described-devices.ts';
import { OrderWatch, type StateChange } from './order-watch.ts';
import { PageWatch } from './page-watch.ts';
import type { RequestFigures } from './request-latencies.ts';
import type { TimedEntry, TimedSink } from './timed-entry.ts';

/** Counts of PAGE and of ZERO records. */
export interface PageCounts {
  readonly data: number;
  readonly zero: number;
}

/** A migration in figures. */
export interface MigrationReport {
  readonly machine: string | null;
  readonly kind: 'precopy' | 'postcopy';
  /** Whether EOF has come, and the value of SHUT. */
  readonly eof: boolean;
  readonly shut: number | null;
  readonly durationSeconds: number | null;
  readonly states: readonly StateChange[];
  readonly pages: { readonly precopy: PageCounts; readonly postcopy: PageCounts };
  /** Pages of each connection, by `c0`. */
  readonly pagesByConnection: Readonly<Record<string, PageCounts>>;
  readonly blocks: readonly BlockFigures[];
  readonly discards: {
    readonly commands: number;
    readonly ranges: number;
    readonly pages: number;
    /** Pages that had been sent in precopy and were sent for nothing. */
    readonly pagesAfterSent: number;
  };
  readonly requests: RequestFigures;
  /** Messages of the return path by name. */
  readonly returnPath: Readonly<Record<string, number>>;
  /** What the extension told of host pages; empty for the default. */
  readonly hostPages: readonly { block: string; hostPage: number; placementPage: number }[];
  readonly devices: readonly DeviceFigures[];
  /** Bytes by class. */
  readonly bytes: Readonly<Record<string, number>>;
  readonly anomalies: readonly Anomaly[];
}

type Values = Readonly<Record<string, unknown>>;

/** Sums a migration up. */
export class MigrationSummary implements TimedSink {
  readonly #anomalies = new AnomalyLog();
  readonly #order = new OrderWatch(this.#anomalies);
  readonly #pages = new PageWatch(this.#anomalies);
  readonly #bytes = new ByteClasses();
  readonly #returnPath = new Map<string, number>();
  readonly #unansweredPings = new Map<number, number>();
  readonly #devices: DeviceFigures[] = [];
  readonly #hostPages: { block: string; hostPage: number; placementPage: number }[] = [];
  #machine: string | null = null;
  #description: string | undefined;
  #listLeft = 0;
  #shut: number | null = null;
  #hasEof = false;
  #isBroken = false;
  #opensReturnPath = false;
  #lastSeconds: number | undefined;

  entry(timed: TimedEntry): void {
    const { entry, tSeconds } = timed;
    this.#bytes.add(timed);
    this.#lastSeconds = tSeconds ?? this.#lastSeconds;
    if (entry.kind === 'error') {
      const { rule, code, message } = entry.error;
      this.#isBroken = true;
      this.#anomalies.noteBroken(rule, code, message, placeOf(timed));
    } else if (timed.dir === 'ret') this.#returnRecord(timed, entry);
    else this.#forwardRecord(timed, entry);
  }

  pageEnd(conn: number, tSeconds: number | undefined): void {
    this.#lastSeconds = tSeconds ?? this.#lastSeconds;
    this.#pages.pageEnd(conn, tSeconds);
  }

  #forwardRecord(timed: TimedEntry, { stream, name, values, lengthBytes }: DissectedRecord): void {
    const place = placeOf(timed);
    if (name === 'PAGE' || name === 'ZERO') {
      const record = {
        ...(values as { block: string; offset: number; fill?: number }),
        recordBytes: lengthBytes,
      };
      const isPostcopy = this.#order.isPostcopy || stream === 'preempt';
      this.#pages.page(record, isPostcopy, { ...place, isMain: stream === 'main' });
    }
    if (stream === 'preempt') return;
    if (name === 'POSTCOPY_RAM_DISCARD') {
      const { block, ranges } = values as { block: string; ranges: readonly ByteRange[] };
      this.#pages.discard(block, ranges, !this.#order.isPostcopy, place);
    }
    this.#order.record(name, stream === 'package', place);
    this.#control(name, values, lengthBytes, place);
  }

  #control(name: string, values: Values, lengthBytes: number, place: ReturnType<typeof placeOf>): void {
    switch (name) {
      case 'CONFIGURATION':
        this.#machine = values['machine'] as string;
        break;
      case 'OPEN_RETURN_PATH':
        this.#opensReturnPath = true;
        break;
      case 'PING': {
        const value = values['value'] as number;
        this.#unansweredPings.set(value, (this.#unansweredPings.get(value) ?? 0) + 1);
        break;
      }
      case 'POSTCOPY_ADVISE':
        this.#pages.advise((values['pageSizeSummary'] as number | undefined) ?? 0);
        break;
      case 'POSTCOPY_RESUME':
        this.#pages.resume();
        break;
      case 'MEM_SIZE':
        this.#pages.beginList();
        this.#listLeft = values['total'] as number;
        break;
      case 'RAM_LIST_ENTRY':
        this.#pages.listBlock(values['block'] as string, values['length'] as number);
        break;
      case 'RAM_LIST_PAGE_SIZE':
        this.#pages.listPageSize(values['pageSize'] as number);
        break;
      case 'EOS':
        // The list ends with the payload that it stands in.
        if (this.#listLeft > 0) this.#pages.endList(place);
        this.#listLeft = 0;
        break;
      case 'DEVICE_STATE':
        this.#devices.push({ ...(values as unknown as DeviceFigures), lengthBytes });
        break;
      case 'VMDESCRIPTION':
        this.#description = values['json'] as string;
        break;
      case 'EOF':
        this.#hasEof = true;
        break;
      default:
      // Framing: nothing to sum up but its bytes.
    }
  }

  #returnRecord(timed: TimedEntry, { name, values }: DissectedRecord): void {
    const place = placeOf(timed);
    this.#returnPath.set(name, (this.#returnPath.get(name) ?? 0) + 1);
    if (name === 'PONG') {
      const value = values['value'] as number;
      const waiting = this.#unansweredPings.get(value) ?? 0;
      if (waiting === 0) this.#anomalies.note('D22', `PONG ${value} without its PING`, place);
      else this.#unansweredPings.set(value, waiting - 1);
    } else if (name === 'REQ_PAGES' || name === 'REQ_PAGES_ID') {
      const { start, length, block } = values as { start: number; length: number; block?: string };
      this.#pages.request(start, length, block, place);
    } else if (name === 'HOST_PAGE') {
      this.#hostPages.push(values as unknown as { block: string; hostPage: number; placementPage: number });
    } else if (name === 'SHUT') {
      this.#shut = values['value'] as number;
      this.#order.change('shut', place);
      if (this.#shut !== 0) this.#anomalies.note('S29', `SHUT ${this.#shut}`, place);
    }
  }

  /**
   * The figures. `totalBytes`: bytes of all streams, decoded or not. `isComplete`: nothing more will come, so what is
   * missing now is missing.
   */
  report(totalBytes: number, isComplete = true): MigrationReport {
    const blocks = [...this.#pages.blocks.values()].map((pages) => pages.figures());
    const devices = describeDevices(this.#devices, this.#description);
    if (isComplete) this.#noteMissing(blocks, devices);
    const sum = (pick: (figures: BlockFigures) => number): number =>
      blocks.reduce((total, figures) => total + pick(figures), 0);
    const count = (phase: 'precopy' | 'postcopy') => ({
      data: sum((figures) => figures[phase].data),
      zero: sum((figures) => figures[phase].zero),
    });
    return {
      machine: this.#machine,
      kind: this.#order.isPostcopy ? 'postcopy' : 'precopy',
      eof: this.#hasEof,
      shut: this.#shut,
      durationSeconds: this.#lastSeconds ?? null,
      states: this.#order.changes,
      pages: { precopy: count('precopy'), postcopy: count('postcopy') },
      pagesByConnection: Object.fromEntries(
        [...this.#pages.byConn].map(([conn, counts]) => [`c${conn}`, { ...counts }]),
      ),
      blocks,
      discards: {
        ...this.#pages.discards,
        pages: sum(({ discarded }) => discarded),
        pagesAfterSent: sum(({ discardedAfterSent }) => discardedAfterSent),
      },
      requests: this.#pages.requests.figures(),
      returnPath: Object.fromEntries(this.#returnPath),
      hostPages: this.#hostPages,
      devices,
      bytes: this.#bytes.list(totalBytes),
      anomalies: this.#anomalies.list(),
    };
  }

  #noteMissing(blocks: readonly BlockFigures[], devices: readonly DeviceFigures[]): void {
    const note: AnomalyLog['note'] = (...args) => this.#anomalies.note(...args);
    for (const { idstr, instanceId, lengthBytes, describedBytes } of devices) {
      if (describedBytes === undefined || describedBytes === lengthBytes) continue;
      note('vmdesc', `${idstr} ${instanceId}: ${lengthBytes} bytes, described as ${describedBytes}`);
    }
    if (this.#isBroken) return; // of a stream that broke off much is missing, and that is no finding
    for (const { key } of this.#pages.requests.unanswered()) {
      note('S20', `host page ${key.replace(' ', ' of ')}`);
    }
    if (this.#hasEof && this.#order.isPostcopy) {
      for (const { block, missing, missingAfterDiscard } of blocks) {
        const neverSent = missing - missingAfterDiscard;
        if (missingAfterDiscard > 0)
          note('S33', `${block}: ${missingAfterDiscard} pages`, {}, missingAfterDiscard);
        if (neverSent > 0) note('S12', `${block}: ${neverSent} pages never sent`, {}, neverSent);
      }
    }
    // A recording of one direction only cannot tell what was not answered.
    if (this.#returnPath.size === 0) return;
    for (const [value, count] of this.#unansweredPings) {
      if (count > 0) note('D22', `no PONG for PING ${value}`, {}, count);
    }
    if (this.#hasEof && this.#opensReturnPath && this.#shut === null) note('D95', 'no SHUT');
  }
}
