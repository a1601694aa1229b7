// Where the cells of a RAM map stand: a rectangle for each block, rows of cells in it, and which pages a cell stands for.

/** A block to be laid out, or the part of it that is looked at. */
export interface MapPart {
  readonly name: string;
  readonly unitBytes: number;
  /** First entry shown, and how many. */
  readonly first: number;
  readonly count: number;
}

/** One block laid out; all in device pixels. */
export interface MapRegion extends MapPart {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** Side of a cell, with its gap. */
  readonly pitch: number;
  readonly gap: number;
  readonly columns: number;
  readonly rows: number;
  /** Entries in one cell; 1 where each page has a cell of its own. */
  readonly perCell: number;
}

/** Sides of cells that are tried, the largest first. */
const PITCHES = [96, 72, 56, 44, 36, 28, 22, 18, 15, 12, 10, 9, 8, 7, 6, 5, 4, 3];
/** Cells of aggregated pages. */
const SMALLEST_PITCH = 3;
/** A block gets at least so much of the height. */
const LEAST_SHARE = 0.07;

/** Lays blocks out below each other, with room of `titleHeight` above each. */
export function layoutMap(
  parts: readonly MapPart[],
  width: number,
  height: number,
  titleHeight: number,
): MapRegion[] {
  const shown = parts.filter((part) => part.count > 0);
  if (shown.length === 0 || width < SMALLEST_PITCH || height <= titleHeight * shown.length) return [];
  const free = height - titleHeight * shown.length;
  const bytes = shown.map((part) => part.count * part.unitBytes);
  const total = bytes.reduce((sum, value) => sum + value, 0);
  // Small blocks get more than their share, or nothing of them could be seen.
  const weights = bytes.map((value) => Math.max(value / total, LEAST_SHARE));
  const weightSum = weights.reduce((sum, value) => sum + value, 0);
  const shares = weights.map((weight) => Math.max(SMALLEST_PITCH, Math.floor((free * weight) / weightSum)));
  const first = shown.map((part, index) =>
    fitCells(part, { left: 0, top: 0, width, height: shares[index]! }),
  );
  // What some do not fill is of use to those whose cells are several pages.
  const used = first.map(({ rows, pitch }) => rows * pitch);
  const spare = shares.reduce((sum, share, index) => sum + share - used[index]!, 0);
  const crowded = first.filter(({ perCell }) => perCell > 1).length;
  let top = 0;
  return shown.map((part, index) => {
    const more = first[index]!.perCell > 1 ? Math.floor(spare / crowded) : 0;
    const place = { left: 0, top: top + titleHeight, width, height: used[index]! + more };
    top += titleHeight + place.height;
    return fitCells(part, place);
  });
}

function fitCells(
  part: MapPart,
  place: { left: number; top: number; width: number; height: number },
): MapRegion {
  for (const pitch of PITCHES) {
    const columns = niceColumns(Math.floor(place.width / pitch));
    if (columns > 0 && Math.ceil(part.count / columns) * pitch <= place.height) {
      return {
        ...part,
        ...place,
        pitch,
        gap: gapOf(pitch),
        columns,
        rows: Math.ceil(part.count / columns),
        perCell: 1,
      };
    }
  }
  const columns = niceColumns(Math.floor(place.width / SMALLEST_PITCH));
  const mostRows = Math.max(1, Math.floor(place.height / SMALLEST_PITCH));
  const perCell = Math.ceil(part.count / (columns * mostRows));
  const rows = Math.ceil(Math.ceil(part.count / perCell) / columns);
  return { ...part, ...place, pitch: SMALLEST_PITCH, gap: gapOf(SMALLEST_PITCH), columns, rows, perCell };
}

/** A multiple of 8 cells, in which people can count, where little is lost by it. */
function niceColumns(columns: number): number {
  const nice = Math.floor(columns / 8) * 8;
  return nice >= columns * 0.95 ? nice : Math.max(1, columns);
}

function gapOf(pitch: number): number {
  if (pitch >= 28) return 2;
  return pitch >= 4 ? 1 : 0;
}

/** Where something is: a region, and an entry in it. */
export interface MapSpot {
  readonly region: MapRegion;
  /** First entry of the cell. */
  readonly entry: number;
  /** Entries of the cell. */
  readonly count: number;
}

/** What is under a point in device pixels. */
export function spotAt(regions: readonly MapRegion[], x: number, y: number): MapSpot | undefined {
  const region = regions.find(({ top, rows, pitch }) => y >= top && y < top + rows * pitch);
  if (region === undefined || x < region.left) return undefined;
  const column = Math.floor((x - region.left) / region.pitch);
  if (column >= region.columns) return undefined;
  return cellSpot(region, Math.floor((y - region.top) / region.pitch) * region.columns + column);
}

/** A cell by its index in the region. */
export function cellSpot(region: MapRegion, cell: number): MapSpot | undefined {
  const offset = cell * region.perCell;
  if (cell < 0 || offset >= region.count) return undefined;
  return { region, entry: region.first + offset, count: Math.min(region.perCell, region.count - offset) };
}

/** Index of the cell that shows an entry. */
export function cellOf(region: MapRegion, entry: number): number {
  return Math.floor((entry - region.first) / region.perCell);
}

/** A part of a block that is zoomed to, twice or half as much, with `entry` staying about where it was. */
export function zoomPart(part: MapPart, total: number, entry: number, factor: number): MapPart {
  const count = Math.max(Math.min(16, total), Math.min(total, Math.round(part.count * factor)));
  const share = (entry - part.first) / part.count;
  const first = Math.round(entry - share * count);
  return { ...part, first: Math.max(0, Math.min(total - count, first)), count };
}
