// The overlapped blocktime of all vCPUs (rule M5), as QEMU computes it from faults and placements.

/**
 * Time in ns during which all vCPUs were blocked at once.
 *
 * QEMU's algorithm: a fault counts its vCPU as down and is remembered as the last begin; a placement that finds all
 * vCPUs down adds the time since the last begin, and then counts those it wakes as up. With one vCPU this is the sum of
 * its faults. A vCPU is blocked from its fault until the placement, not until it runs again.
 *
 * @param faultNs - when each fault began, in any order
 * @param placedNs - when each of these faults was placed, in any order
 * @param vcpuCount - how many vCPUs the guest has; one that never faults keeps the blocktime at 0
 */
export function overlappedBlocktimeNs(
  faultNs: Float64Array,
  placedNs: Float64Array,
  vcpuCount: number,
): number {
  const sortedBegins = faultNs.toSorted();
  const sortedEnds = placedNs.toSorted();

  let downCount = 0;
  let lastBeginNs = 0;
  let totalNs = 0;
  let next = 0;
  for (const endNs of sortedEnds) {
    // At the same instant the placement comes first: a vCPU can only fault again after it was woken. An empty fault
    // thereby ends before it begins, which only cuts a blocked time in two that add up to the same.
    while (next < sortedBegins.length && sortedBegins[next]! < endNs) {
      lastBeginNs = sortedBegins[next++]!;
      downCount++;
    }
    if (downCount === vcpuCount) totalNs += endNs - lastBeginNs;
    downCount--;
  }
  return totalNs;
}
