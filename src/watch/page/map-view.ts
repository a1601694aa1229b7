// The RAM map: a cell for each page, zoomed by wheel and keys, with a pointer and a cursor that tell of a page.
import type { BlockLayout, EndName } from '../model/frame.ts';
import {
  cellOf,
  cellSpot,
  layoutMap,
  type MapPart,
  type MapRegion,
  type MapSpot,
  spotAt,
  zoomPart,
} from '../model/map-layout.ts';
import type { PageMap } from '../model/page-map.ts';
import { bytesText } from '../model/quantities.ts';
import { byId, make } from './elements.ts';
import { MapPaint } from './map-paint.ts';
import { describeSpot } from './map-spot.ts';
import type { Palette } from './palette.ts';
import type { Moment, Session } from './session.ts';
import { Surface } from './surface.ts';
import type { Tip } from './tip.ts';

const TITLE_HEIGHT = 18;
const ZOOM_STEP = 2;

/** The map. */
export class MapView {
  readonly #surface = new Surface(byId<HTMLCanvasElement>('map'));
  readonly #paint: MapPaint;
  readonly #palette: Palette;
  readonly #session: Session;
  readonly #tip: Tip;
  #regions: MapRegion[] = [];
  #layoutKey = '';
  #zoom: MapPart | undefined;
  #cursor: { block: string; entry: number } | undefined;
  #maps: ReadonlyMap<string, PageMap> = new Map();
  #blocks: readonly BlockLayout[] = [];
  #end: EndName = 'destination';
  #moment: Moment | undefined;

  constructor(session: Session, palette: Palette, tip: Tip) {
    this.#session = session;
    this.#palette = palette;
    this.#paint = new MapPaint(palette);
    this.#tip = tip;
    const { canvas } = this.#surface;
    canvas.addEventListener('pointermove', (event) => this.#point(event));
    canvas.addEventListener('pointerleave', () => tip.hide());
    canvas.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener('keydown', (event) => this.#key(event));
    canvas.addEventListener('blur', () => this.#moveCursor(undefined));
    byId('zoom-in').addEventListener('click', () => this.#zoomBy(1 / ZOOM_STEP, this.#middle()));
    byId('zoom-out').addEventListener('click', () => this.#zoomBy(ZOOM_STEP, this.#middle()));
    byId('zoom-all').addEventListener('click', () => this.#zoomTo(undefined));
  }

  /** Draws what changed. */
  draw(moment: Moment, end: EndName): void {
    this.#moment = moment;
    this.#end = end;
    const model = moment.run.ends[end];
    this.#maps = model.pages.stateAt(moment.at);
    this.#blocks = model.hello?.blocks ?? [];
    const parts = this.#parts();
    byId('map-empty').hidden = parts.length > 0;
    const key = JSON.stringify([
      parts,
      end,
      this.#surface.version,
      this.#palette.version,
      this.#session.shown.number,
    ]);
    if (key !== this.#layoutKey) this.#layout(key, parts);
    for (const region of this.#regions) {
      const map = this.#maps.get(region.name);
      const placement = this.#blockOf(region.name)?.placementPageBytes ?? 0;
      if (map?.unitBytes === region.unitBytes)
        this.#paint.paint(this.#surface, region, map, placement / region.unitBytes);
    }
  }

  #blockOf(name: string): BlockLayout | undefined {
    return this.#blocks.find((block) => block.name === name);
  }

  #parts(): MapPart[] {
    const all = this.#blocks.flatMap(({ name }) => {
      const map = this.#maps.get(name);
      return map === undefined
        ? []
        : [{ name, unitBytes: map.unitBytes, first: 0, count: map.states.length }];
    });
    const zoomed = all.find((part) => part.name === this.#zoom?.name);
    if (this.#zoom === undefined || zoomed === undefined) return all;
    return [
      {
        ...zoomed,
        first: Math.min(this.#zoom.first, zoomed.count - 1),
        count: Math.min(this.#zoom.count, zoomed.count),
      },
    ];
  }

  #layout(key: string, parts: readonly MapPart[]): void {
    this.#layoutKey = key;
    const { canvas, ratio } = this.#surface;
    this.#regions = layoutMap(parts, canvas.width, canvas.height, Math.round(TITLE_HEIGHT * ratio));
    this.#surface.begin();
    this.#paint.reset(this.#surface);
    byId('map-titles').replaceChildren(
      ...this.#regions.map((region) => {
        const title = make('span');
        title.style.top = `${region.top / ratio - TITLE_HEIGHT}px`;
        title.append(make('b', '', region.name), ` ${this.#titleOf(region)}`);
        return title;
      }),
    );
    this.#moveCursor(this.#cursor);
  }

  #titleOf(region: MapRegion): string {
    const block = this.#blockOf(region.name);
    const cell = `a cell is ${bytesText(region.perCell * region.unitBytes)}`;
    if (block === undefined) return cell;
    const pages = `${bytesText(block.lengthBytes)} · host page ${bytesText(block.hostPageBytes)}`;
    const isPieces = block.placementPageBytes > 0 && block.placementPageBytes !== block.hostPageBytes;
    const placed = isPieces ? ` · placed by ${bytesText(block.placementPageBytes)}` : '';
    const range =
      region.count * region.unitBytes < block.lengthBytes
        ? ` · 0x${(region.first * region.unitBytes).toString(16)} to 0x${((region.first + region.count) * region.unitBytes).toString(16)}`
        : '';
    return `${pages}${placed} · ${cell}${range}`;
  }

  #spotOf(event: MouseEvent): MapSpot | undefined {
    const { ratio } = this.#surface;
    return spotAt(this.#regions, event.offsetX * ratio, event.offsetY * ratio);
  }

  #point(event: PointerEvent): void {
    const spot = this.#spotOf(event);
    if (spot === undefined) this.#tip.hide();
    else this.#tip.show(this.#describe(spot), event.clientX, event.clientY);
  }

  #describe(spot: MapSpot): ReturnType<typeof describeSpot> {
    return describeSpot(spot, {
      map: this.#maps.get(spot.region.name),
      block: this.#blockOf(spot.region.name),
      pages: this.#moment!.run.ends[this.#end].pages,
      at: this.#moment!.at,
      startAt: this.#moment!.run.startAt,
    });
  }

  #wheel(event: WheelEvent): void {
    const spot = this.#spotOf(event);
    if (spot === undefined) return;
    event.preventDefault();
    this.#zoomBy(event.deltaY < 0 ? 1 / ZOOM_STEP : ZOOM_STEP, spot);
  }

  /** What buttons zoom round: the cursor, or the middle of the largest block. */
  #middle(): MapSpot | undefined {
    const atCursor = this.#regions.find((region) => region.name === this.#cursor?.block);
    if (atCursor !== undefined) return cellSpot(atCursor, cellOf(atCursor, this.#cursor!.entry));
    const largest = this.#regions.toSorted((a, b) => b.count * b.unitBytes - a.count * a.unitBytes)[0];
    return largest && cellSpot(largest, Math.floor(largest.count / largest.perCell / 2));
  }

  #zoomBy(factor: number, spot: MapSpot | undefined): void {
    if (spot === undefined) return;
    const { name, unitBytes, first, count } = spot.region;
    const total = this.#maps.get(name)?.states.length ?? count;
    if (factor > 1 && count === total) this.#zoomTo(undefined);
    else this.#zoomTo(zoomPart({ name, unitBytes, first, count }, total, spot.entry, factor));
  }

  #zoomTo(part: MapPart | undefined): void {
    this.#zoom = part;
    this.#tip.hide();
    this.#session.version += 1;
  }

  #key(event: KeyboardEvent): void {
    const spot = this.#cursor === undefined ? undefined : this.#middle();
    if (event.key === '+' || event.key === '=') this.#zoomBy(1 / ZOOM_STEP, spot ?? this.#middle());
    else if (event.key === '-') this.#zoomBy(ZOOM_STEP, spot ?? this.#middle());
    else if (event.key === 'Escape') this.#zoomTo(undefined);
    else if (event.key.startsWith('Arrow') || event.key === 'Home' || event.key === 'End')
      this.#arrow(event.key);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Moves by a cell; off the edge of a block to the next one. */
  #arrow(key: string): void {
    const index = Math.max(
      0,
      this.#regions.findIndex((region) => region.name === this.#cursor?.block),
    );
    const region = this.#regions[index];
    if (region === undefined) return;
    const steps: Record<string, number> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -region.columns,
      ArrowDown: region.columns,
    };
    const cells = Math.ceil(region.count / region.perCell);
    const now = this.#cursor === undefined ? -1 : cellOf(region, this.#cursor.entry);
    const to = key === 'Home' || now < 0 ? 0 : key === 'End' ? cells - 1 : now + steps[key]!;
    const beside = to < 0 ? this.#regions[index - 1] : to >= cells ? this.#regions[index + 1] : undefined;
    const spot =
      beside === undefined ? cellSpot(region, Math.max(0, Math.min(cells - 1, to))) : cellSpot(beside, 0);
    if (spot !== undefined) this.#moveCursor({ block: spot.region.name, entry: spot.entry }, true);
  }

  #moveCursor(to: { block: string; entry: number } | undefined, isSpoken = false): void {
    this.#cursor = to;
    const box = byId('map-cursor');
    const region = this.#regions.find(
      ({ name, first, count }) => name === to?.block && to.entry >= first && to.entry < first + count,
    );
    box.hidden = region === undefined;
    if (region === undefined || to === undefined) return;
    const cell = cellOf(region, to.entry);
    const { ratio } = this.#surface;
    const side = Math.max(6, (region.pitch - region.gap) / ratio + 4);
    const left = (region.left + (cell % region.columns) * region.pitch) / ratio - 2;
    const top = (region.top + Math.floor(cell / region.columns) * region.pitch) / ratio - 2;
    Object.assign(box.style, { left: `${left}px`, top: `${top}px`, width: `${side}px`, height: `${side}px` });
    const spot = cellSpot(region, cell);
    if (!isSpoken || spot === undefined) return;
    const place = this.#surface.canvas.getBoundingClientRect();
    const told = this.#describe(spot);
    this.#tip.show(told, place.left + left + side, place.top + top + side);
    byId('spoken').textContent = told.words;
  }
}
