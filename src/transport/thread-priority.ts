// Who gets the processor first: threads that somebody waits for, before those that are always busy.
import { setPriority } from 'node:os';

const HIGHEST = -20;
/** A third of the share of a thread beside it that gives no way. */
const LATER = 5;

/**
 * For a thread that does little, and that somebody waits for: it runs as soon as there is something to do, and not when
 * the threads that are busy all the time have had their share. On Linux it concerns the thread that calls it alone.
 * Returns whether it was allowed to.
 */
export function takePrecedence(): boolean {
  try {
    setPriority(HIGHEST);
    return true;
  } catch {
    return false; // not root
  }
}

/**
 * For a thread that is busy all the time, and for which nobody waits at this very moment: those that somebody waits for
 * get the processor at once, vCPUs that were just given their page too. It takes no privilege.
 */
export function giveWay(): void {
  try {
    setPriority(LATER);
  } catch {
    // Then it has its share as ever.
  }
}
