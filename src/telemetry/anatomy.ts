// Joins what the two ends of a migration saw of each fault: the stalls of the destination, split with the source's help.
import { alignClocks, type ClockAlignment, shiftOf } from './clock-alignment.ts';
import type { FaultRecord } from './fault-record.ts';
import type { RequestRecord, RequestsResult } from './request-record.ts';
import type { MigrationResult } from './result.ts';
import { CauseSum, causesThatTook, type StallCauses, splitStall, type ToldRequest } from './stall-causes.ts';

/** A page record on the wire: its word and 4 KiB. */
const PAGE_RECORD_BYTES = 8 + 4096;

/** The stalls of a migration as both ends know them. */
export interface Anatomy {
  readonly causes: StallCauses;
  /** The faults of the destination, in their order, each with its causes. */
  readonly faults: readonly FaultRecord[];
}

interface ToldFault {
  readonly fault: FaultRecord;
  readonly request: ToldRequest | undefined;
}

/** The first request of each page, by its place; a page is asked for again only after a recovery. */
function requestsByPlace({ entries }: RequestsResult): Map<string, RequestRecord> {
  const byPlace = new Map<string, RequestRecord>();
  for (const request of entries) {
    const place = `${request.start} ${request.block}`;
    if (!byPlace.has(place)) byPlace.set(place, request);
  }
  return byPlace;
}

function placeOf({ block, hostPage, pageBytes }: FaultRecord): string {
  return `${hostPage * pageBytes} ${block}`;
}

function firstFaults(faults: readonly FaultRecord[]): Map<string, number> {
  const byPlace = new Map<string, number>();
  for (const fault of faults) {
    const place = placeOf(fault);
    byPlace.set(place, Math.min(byPlace.get(place) ?? fault.faultNs, fault.faultNs));
  }
  return byPlace;
}

/** Each fault with its request, by the destination's clock. */
function tellFaults(faults: readonly FaultRecord[], requests: RequestsResult, shiftNs: number): ToldFault[] {
  const byPlace = requestsByPlace(requests);
  const firstFaultNs = firstFaults(faults);
  return faults.map((fault) => {
    const place = placeOf(fault);
    const request = byPlace.get(place);
    if (request === undefined) return { fault, request: undefined };
    const { arrivedNs, takenNs, waitsNs } = request;
    return {
      fault,
      request: {
        arrivedNs: arrivedNs + shiftNs,
        takenNs: takenNs === 0 ? 0 : takenNs + shiftNs,
        waitsNs,
        firstFaultNs: firstFaultNs.get(place)!,
      },
    };
  });
}

/**
 * What the first 4 KiB of a page take to the destination at least. Of an emulated link that is known; else it is no more
 * than half of the shortest round trip, nor than it took any page of this migration.
 */
function wireNsOf(source: MigrationResult, clock: ClockAlignment, told: readonly ToldFault[]): number {
  if (source.link !== undefined) {
    const { delayNs, bytesPerSecond } = source.link.forward;
    return Math.round(delayNs + (PAGE_RECORD_BYTES / bytesPerSecond) * 1e9);
  }
  let leastNs = clock.uncertaintyNs;
  for (const { fault, request } of told) {
    const takenNs = request?.takenNs ?? 0;
    if (takenNs > 0) leastNs = Math.min(leastNs, fault.firstByteNs - takenNs);
  }
  return Math.max(0, leastNs);
}

/**
 * Splits each stall by what both ends saw of it. Undefined if either did not list it (`source --requests`,
 * `destination --faults`), or if no PING tells how far their clocks are apart.
 */
export function joinEnds(source: MigrationResult, destination: MigrationResult): Anatomy | undefined {
  const { requests } = source;
  const { faults, pongs } = destination;
  if (requests === undefined || faults === undefined || pongs === undefined) return undefined;
  const clock = alignClocks(requests.pings, pongs);
  if (clock === null) return undefined;
  const told = tellFaults(faults, requests, shiftOf(clock));
  const wireNs = wireNsOf(source, clock, told);
  const sum = new CauseSum();
  const split = told.map(({ fault, request }) => {
    const stall = splitStall(fault, request, wireNs);
    sum.add(stall, request !== undefined);
    return { ...fault, causesNs: causesThatTook(stall.causesNs) };
  });
  return { causes: sum.result(clock), faults: split };
}

/**
 * The result of the destination with what the source knows of its stalls, as far as both ends listed it. Neither list is
 * kept unless `keepsFaults`.
 */
export function withCauses(
  source: MigrationResult | null,
  destination: MigrationResult,
  keepsFaults = false,
): MigrationResult {
  const { faults, pongs: _, ...lean } = destination;
  const joined = source === null ? undefined : joinEnds(source, destination);
  const stalls =
    lean.stalls === null || joined === undefined ? lean.stalls : { ...lean.stalls, causes: joined.causes };
  const listed = joined?.faults ?? faults;
  return { ...lean, stalls, ...(keepsFaults && listed !== undefined ? { faults: listed } : {}) };
}

/** The result of a source without its list of requests. */
export function withoutRequests(source: MigrationResult): MigrationResult {
  const { requests: _, ...lean } = source;
  return lean;
}
