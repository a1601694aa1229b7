// Paints the cells of a RAM map into pixels, and again only those whose pages changed.
import type { MapRegion } from '../model/map-layout.ts';
import { CODE_COUNT } from '../model/page-codes.ts';
import { CHUNK_ENTRIES, type PageMap } from '../model/page-map.ts';
import { type Palette, STATE_COLORS } from './palette.ts';
import type { Surface } from './surface.ts';

const REQUESTED = 1;
const ARRIVING = 2;
/** Of a cell of many pages, a few that are waited for would not be seen; they count for so many. */
const EMPHASIS = 24;

/** Red, green, blue of a state. */
type Color = readonly [number, number, number];

function pack([red, green, blue]: Color): number {
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
}

/** How much fainter every second placement page is. */
const ODD_SHARE = 0.16;

function mix(color: Color, other: Color, share: number): Color {
  const part = (index: 0 | 1 | 2): number => Math.round(color[index] * (1 - share) + other[index] * share);
  return [part(0), part(1), part(2)];
}

/** The pixels of a map. */
export class MapPaint {
  readonly #palette: Palette;
  #image: ImageData | undefined;
  #pixels = new Uint32Array(0);
  #colors: Color[] = [];
  #packed: number[] = [];
  /** The same for every second placement page. */
  #packedOdd: number[] = [];
  /** What was painted last of each block. */
  #painted = new Map<string, { readonly map: PageMap; version: number }>();
  readonly #counts = new Float64Array(CODE_COUNT);

  constructor(palette: Palette) {
    this.#palette = palette;
  }

  /** Forgets all that was painted: the size, the colours, or what is looked at changed. */
  reset(surface: Surface): void {
    const { width, height } = surface.canvas;
    this.#image = surface.context.createImageData(width, height);
    this.#pixels = new Uint32Array(this.#image.data.buffer);
    this.#colors = STATE_COLORS.map((name) => this.#palette.rgb(name));
    this.#packed = this.#colors.map(pack);
    const panel = this.#palette.rgb('panel');
    this.#packedOdd = this.#colors.map((color, state) => {
      return pack(state === 0 ? this.#palette.rgb('missing-b') : mix(color, panel, ODD_SHARE));
    });
    this.#painted = new Map();
  }

  /** Paints what changed of a region. `pagesOf` is how many entries a placement page has, 1 or less if it has none. */
  paint(surface: Surface, region: MapRegion, map: PageMap, pagesOf: number): void {
    if (this.#image === undefined) return;
    const known = this.#painted.get(region.name);
    const isKnown = known?.map === map;
    if (isKnown && known.version === map.version) return;
    const since = isKnown ? known.version : 0;
    let [firstRow, lastRow] = [Number.POSITIVE_INFINITY, -1];
    const end = Math.min(region.first + region.count, map.states.length);
    for (let chunk = Math.floor(region.first / CHUNK_ENTRIES); chunk * CHUNK_ENTRIES < end; chunk += 1) {
      if (map.chunkVersions[chunk]! <= since) continue;
      const from = Math.max(0, chunk * CHUNK_ENTRIES - region.first);
      const to = Math.min(end, (chunk + 1) * CHUNK_ENTRIES) - region.first;
      const firstCell = Math.floor(from / region.perCell);
      const lastCell = Math.floor((to - 1) / region.perCell);
      for (let cell = firstCell; cell <= lastCell; cell += 1) this.#paintCell(region, map, cell, pagesOf);
      firstRow = Math.min(firstRow, Math.floor(firstCell / region.columns));
      lastRow = Math.max(lastRow, Math.floor(lastCell / region.columns));
    }
    this.#painted.set(region.name, { map, version: map.version });
    if (lastRow < 0) return;
    const top = region.top + firstRow * region.pitch;
    const height = (lastRow - firstRow + 1) * region.pitch;
    surface.context.putImageData(this.#image, 0, 0, region.left, top, region.width, height);
  }

  #paintCell(region: MapRegion, map: PageMap, cell: number, pagesOf: number): void {
    const first = region.first + cell * region.perCell;
    const color =
      region.perCell === 1
        ? this.#pageColor(map.states[first]!, first, pagesOf)
        : this.#mixed(map, first, region);
    const { pitch, gap, columns } = region;
    const side = pitch - gap;
    const x = region.left + (cell % columns) * pitch;
    const y = region.top + Math.floor(cell / columns) * pitch;
    const width = this.#image!.width;
    for (let row = y; row < y + side; row += 1) {
      const at = row * width + x;
      this.#pixels.fill(color, at, at + side);
    }
  }

  /** Every second placement page is a little fainter, so that it is seen where one ends. */
  #pageColor(state: number, entry: number, pagesOf: number): number {
    const isOdd = pagesOf > 1 && Math.floor(entry / pagesOf) % 2 === 1;
    return (isOdd ? this.#packedOdd : this.#packed)[state]!;
  }

  #mixed(map: PageMap, first: number, region: MapRegion): number {
    const counts = this.#counts.fill(0);
    const end = Math.min(first + region.perCell, region.first + region.count, map.states.length);
    for (let i = first; i < end; i += 1) counts[map.states[i]!]! += 1;
    counts[REQUESTED]! *= EMPHASIS;
    counts[ARRIVING]! *= EMPHASIS / 4;
    let [red, green, blue, sum] = [0, 0, 0, 0];
    for (let state = 0; state < CODE_COUNT; state += 1) {
      const weight = counts[state]!;
      if (weight === 0) continue;
      const color = this.#colors[state]!;
      red += color[0] * weight;
      green += color[1] * weight;
      blue += color[2] * weight;
      sum += weight;
    }
    return pack([Math.round(red / sum), Math.round(green / sum), Math.round(blue / sum)]);
  }
}
