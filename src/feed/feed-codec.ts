// Frames of the feed to bytes and back; what comes from outside is checked before it is believed.
import msgpack from 'msgpack-lite';
import { LimitError, ProtocolError } from '../errors.ts';
import { findMsgpackFault, type MsgpackLimits } from '../machine/msgpack-limits.ts';
import { type FeedFields, type FeedValues, object, oneOf } from './feed-fields.ts';
import {
  CONTROL_FIELDS,
  type ControlMessage,
  FEED_HEAD,
  FEED_MESSAGES,
  type FeedFrame,
  type FeedKind,
} from './feed-messages.ts';

/** A longer frame is nobody's of ours. */
export const FRAME_LIMIT_BYTES = 4 * 1024 * 1024;
/** What a viewer sends is a few words. */
export const CONTROL_LIMIT_BYTES = 1024;

/** A result with every fault may nest and be long. */
const FRAME_LIMITS: MsgpackLimits = { depth: 12, entries: 1_000_000 };
const CONTROL_LIMITS: MsgpackLimits = { depth: 1, entries: 8 };

const kindField = oneOf(...(Object.keys(FEED_MESSAGES) as FeedKind[]));
const bodies = new Map(
  Object.entries(FEED_MESSAGES).map(([kind, { fields }]) => [
    kind,
    object({ kind: oneOf(kind), ...FEED_HEAD, ...(fields as FeedFields) }),
  ]),
);
const controlField = object(CONTROL_FIELDS);

/** The bytes of a frame. */
export function encodeFrame(frame: FeedFrame): Buffer {
  if (frame.kind !== 'pages') return msgpack.encode(frame);
  // The library takes no other array of bytes for bytes.
  const { buffer, byteOffset, length } = frame.states;
  return msgpack.encode({ ...frame, states: Buffer.from(buffer, byteOffset, length) });
}

/** A frame of its bytes. @throws LimitError `frame-too-large`, ProtocolError `bad-frame` */
export function decodeFrame(input: Uint8Array): FeedFrame {
  const values = decodeMap(input, FRAME_LIMIT_BYTES, FRAME_LIMITS);
  const kind = kindField.check(values['kind'], 'frame.kind');
  return bodies.get(kind)!.check(values, kind) as unknown as FeedFrame;
}

/** The bytes of what a viewer asks for. */
export function encodeControl(control: ControlMessage): Buffer {
  return msgpack.encode(control);
}

/** What a viewer asks for. @throws LimitError `frame-too-large`, ProtocolError `bad-frame` */
export function decodeControl(input: Uint8Array): ControlMessage {
  const values = decodeMap(input, CONTROL_LIMIT_BYTES, CONTROL_LIMITS);
  return controlField.check(values, 'control') as FeedValues<typeof CONTROL_FIELDS>;
}

function decodeMap(input: Uint8Array, limitBytes: number, limits: MsgpackLimits): Record<string, unknown> {
  if (input.length > limitBytes) {
    throw new LimitError('frame-too-large', `expected at most ${limitBytes} bytes, found ${input.length}`);
  }
  const fault = findMsgpackFault(input, limits);
  if (fault !== undefined) throw new ProtocolError('bad-frame', `expected MessagePack: ${fault}`);
  const value: unknown = msgpack.decode(input);
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new ProtocolError('bad-frame', 'expected a map, found something else');
}
