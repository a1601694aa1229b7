// A canvas that fits its element and the screen's pixels.

/** Changes of size of all surfaces: each empties its canvas, so that all is to be drawn again. */
let resizes = 0;

/** How often any surface was emptied by a change of its size. */
export function resizeCount(): number {
  return resizes;
}

/** A canvas to draw on. */
export class Surface {
  readonly canvas: HTMLCanvasElement;
  readonly context: CanvasRenderingContext2D;
  /** In CSS pixels. */
  width = 0;
  height = 0;
  /** Device pixels in a CSS pixel. */
  ratio = 1;
  /** Grows when the size changes. */
  version = 0;

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d', { alpha: true })!;
    new ResizeObserver(() => this.#fit()).observe(canvas);
    this.#fit();
  }

  #fit(): void {
    const { clientWidth, clientHeight } = this.canvas;
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    if (clientWidth === this.width && clientHeight === this.height && ratio === this.ratio) return;
    this.ratio = ratio;
    this.width = clientWidth;
    this.height = clientHeight;
    this.canvas.width = Math.max(1, Math.round(clientWidth * this.ratio));
    this.canvas.height = Math.max(1, Math.round(clientHeight * this.ratio));
    this.version += 1;
    resizes += 1;
  }

  /** Clears it, to draw in CSS pixels. */
  begin(): CanvasRenderingContext2D {
    this.context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
    this.context.font =
      '11px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';
    this.context.textBaseline = 'middle';
    return this.context;
  }
}
