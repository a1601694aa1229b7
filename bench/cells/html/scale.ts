// Scales of the plots: from values to places, and the ticks between.

/** A scale along one axis of a plot. */
export interface Scale {
  /** Place of a value. */
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

/** Decades have ticks of their own, and fractions of them where there are few. */
const FEW_DECADES = 2;

/**
 * A logarithmic scale that holds all values, rounded outwards to whole decades. Values that are not above zero have no
 * place on it and are left out. @throws RangeError without any other
 */
export function logScale(values: readonly number[], [from, to]: readonly [number, number]): Scale {
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) throw new RangeError('expected at least one value above zero, found none');
  const first = Math.floor(Math.log10(Math.min(...positive)));
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...positive))));
  const ticks: number[] = [];
  for (let decade = first; decade <= last; decade += 1) {
    for (const step of last - first > FEW_DECADES ? [1] : [1, 2, 5]) {
      if (decade < last || step === 1) ticks.push(step * 10 ** decade);
    }
  }
  const at = (value: number): number => from + ((Math.log10(value) - first) / (last - first)) * (to - from);
  return { at, ticks };
}

/** A scale of few values, each as far from the next as it is larger by powers of two, with room at both ends. */
export function pageScale(pages: readonly number[], [from, to]: readonly [number, number]): Scale {
  const ticks = [...new Set(pages)].sort((a, b) => a - b);
  const first = Math.log2(ticks[0]!) - 0.7;
  const last = Math.log2(ticks.at(-1)!) + 0.7;
  return { at: (value) => from + ((Math.log2(value) - first) / (last - first)) * (to - from), ticks };
}
