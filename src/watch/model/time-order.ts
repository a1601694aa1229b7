// Finds moments in lists that are in order of time.

/** How many items of an ordered list come at or before `at`. */
export function countUntil<T>(list: readonly T[], at: number, timeOf: (item: T) => number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (timeOf(list[middle]!) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The last frame at or before `at`. */
export function lastAt<T extends { readonly at: number }>(list: readonly T[], at: number): T | undefined {
  return list[countUntil(list, at, (item) => item.at) - 1];
}

/** Drops every second item of the older half, so that a list stays bounded and its newest items keep their detail. */
export function thinOut<T>(list: T[], most: number): void {
  if (list.length <= most) return;
  const half = list.length >>> 1;
  const kept = list.filter((_, index) => index >= half || index % 2 === 0);
  list.splice(0, list.length, ...kept);
}
