// Turns time into places on a canvas, and finds round steps for an axis.

/** A span of time on a span of pixels. */
export interface TimeAxis {
  readonly from: number;
  readonly to: number;
  readonly left: number;
  readonly width: number;
}

/** Where a moment is. */
export function xOf(axis: TimeAxis, at: number): number {
  return axis.left + ((at - axis.from) / (axis.to - axis.from)) * axis.width;
}

/** Which moment is at a place. */
export function timeAt(axis: TimeAxis, x: number): number {
  return axis.from + ((x - axis.left) / axis.width) * (axis.to - axis.from);
}

/** The smallest of 1, 2, 5 times a power of ten that is at least `least`. */
export function roundStep(least: number): number {
  if (!(least > 0) || !Number.isFinite(least)) return 1;
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((factor) => factor * power >= least * 0.999_999) ?? 10);
}

/** Seconds on an axis, as precise as its step. */
export function tickText(ns: number, stepNs: number): string {
  const places = Math.max(0, Math.ceil(-Math.log10(stepNs / 1e9) - 0.001));
  return `${(ns / 1e9).toFixed(Math.min(6, places))} s`;
}

/** Round moments on an axis, counted from `zero`, about `apart` pixels from each other. */
export function timeTicks(axis: TimeAxis, zero: number, apart: number): { at: number; text: string }[] {
  const step = roundStep(((axis.to - axis.from) / axis.width) * apart);
  const ticks: { at: number; text: string }[] = [];
  for (let i = Math.ceil((axis.from - zero) / step); ticks.length < 50; i += 1) {
    const at = zero + i * step;
    if (at > axis.to) break;
    if (i >= 0) ticks.push({ at, text: tickText(i * step, step) });
  }
  return ticks;
}
