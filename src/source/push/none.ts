// Push strategy `none`: nothing is sent that was not asked for.
import type { PushStrategy } from './push-strategy.ts';

/** Pull only. */
export class NoPush implements PushStrategy {
  requested(): void {
    // Requests are served without it.
  }

  next(): number {
    return -1;
  }
}
