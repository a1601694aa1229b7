// A scripted source as data: labelled steps that a rule can replace, drop or move one of.
import { joinBytes } from '../protocol/message.ts';
import type { Answers } from './answers.ts';

/** One step of a script, found by its label. */
export type Step = { readonly label: string } & (
  | {
      readonly do: 'send';
      /** Bytes, or what makes them when it is their turn. */
      readonly bytes: Uint8Array | (() => Uint8Array);
      /** On which channel; the main channel without it. */
      readonly on?: 'preempt';
    }
  /** Waits until the answers so far please; the label says for what. A peer that leaves first lets the script stall. */
  | { readonly do: 'await'; readonly until: (answers: Answers) => boolean }
  /** Takes requests one by one until nobody asks any more, and sends what `answer` gives. */
  | {
      readonly do: 'serve';
      readonly answer: (request: PageRequest) => ServedPages | undefined;
      /** Whether it was enough. */
      readonly isEnough: () => boolean;
    }
  /** Opens the second connection. */
  | { readonly do: 'connect-preempt' }
  /** Waits for the end: SHUT, or that the peer leaves. */
  | { readonly do: 'await-end' }
  /** Waits for a while in which nothing need happen. */
  | { readonly do: 'listen'; readonly ms: number }
  /** Ends the main channel. */
  | { readonly do: 'close' }
  /** Opens a main channel anew when the peer has closed the one before; its answers are counted afresh. */
  | { readonly do: 'reconnect' }
);

/** A request, with the block that it names or that was named before it. */
export interface PageRequest {
  readonly block: string;
  readonly start: number;
  readonly length: number;
}

/** Bytes for a request, and the channel that they go to. */
export interface ServedPages {
  readonly bytes: Uint8Array;
  readonly on?: 'preempt';
}

/** A step that sends bytes. */
export function send(label: string, ...parts: readonly Uint8Array[]): Step {
  return { label, do: 'send', bytes: joinBytes(parts) };
}

/** Where the labelled step is. A label that is not there is a mistake of the rule. */
export function findStep(steps: readonly Step[], label: string): number {
  const index = steps.findIndex((step) => step.label === label);
  if (index === -1) throw new Error(`no step is called '${label}'`);
  return index;
}

/** The script without some steps. */
export function without(steps: readonly Step[], ...labels: readonly string[]): Step[] {
  for (const label of labels) findStep(steps, label);
  return steps.filter((step) => !labels.includes(step.label));
}

/** The script with one step replaced by others. */
export function replace(steps: readonly Step[], label: string, ...by: readonly Step[]): Step[] {
  return steps.toSpliced(findStep(steps, label), 1, ...by);
}

/** The script with steps put in before one. */
export function before(steps: readonly Step[], label: string, ...added: readonly Step[]): Step[] {
  return steps.toSpliced(findStep(steps, label), 0, ...added);
}

/** The script with steps put in behind one. */
export function after(steps: readonly Step[], label: string, ...added: readonly Step[]): Step[] {
  return steps.toSpliced(findStep(steps, label) + 1, 0, ...added);
}

/** The script with one step moved to before another. */
export function moveBefore(steps: readonly Step[], label: string, target: string): Step[] {
  const moved = steps[findStep(steps, label)]!;
  return before(steps.toSpliced(findStep(steps, label), 1), target, moved);
}
