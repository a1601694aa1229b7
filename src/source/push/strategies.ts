// The push strategies by name.
import { Bubble } from './bubble.ts';
import { BUBBLE_LIMIT, BubbleRound } from './bubble-round.ts';
import { ForwardPush } from './forward.ts';
import { HotFirstPush } from './hot-first.ts';
import { NoPush } from './none.ts';
import type { PushSetup, PushStrategy } from './push-strategy.ts';
import { RecordedPush } from './recorded.ts';
import { ReversePush } from './reverse.ts';
import { SequentialPush } from './sequential.ts';
import { StridePush } from './stride.ts';

/** Begins a push. */
export type BeginPush = (setup: PushSetup) => PushStrategy;

/** All strategies but `bubble-N`, by name. docs/push.md tells what each does. */
const BY_NAME: Readonly<Record<string, BeginPush>> = {
  none: () => new NoPush(),
  sequential: ({ line }) => new SequentialPush(line),
  forward: ({ line }) => new ForwardPush(line),
  bubble: ({ line }) => new Bubble(line),
  reverse: ({ line }) => new ReversePush(line),
  stride: ({ line }) => new StridePush(line),
  'hot-first': ({ line, history }) => new HotFirstPush(line, history!),
  recorded: ({ line, faults }) => new RecordedPush(line, faults),
};

/** The names, for help and errors; N of `bubble-N` is a number of bubbles. */
export const PUSH_NAMES: readonly string[] = Object.keys(BY_NAME).flatMap((name) =>
  name === 'bubble' ? [name, 'bubble-N'] : name,
);

/** The strategy of a name such as `forward` or `bubble-7`; undefined if there is none. */
export function findPush(name: string): BeginPush | undefined {
  const bubbles = /^bubble-([1-9]\d*)$/.exec(name)?.[1];
  if (bubbles === undefined) return Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined;
  const bubbleCount = Number(bubbles);
  return bubbleCount > BUBBLE_LIMIT ? undefined : ({ line }) => new BubbleRound(line, bubbleCount);
}
