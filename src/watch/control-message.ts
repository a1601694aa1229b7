// What a viewer may ask for, as it comes from the page and as it goes on to an end.
import msgpack from 'msgpack-lite';
import { findMsgpackFault } from '../machine/msgpack-limits.ts';
import { FieldReader } from './model/field-reader.ts';

/** Bytes of what a viewer sends. */
export const MAX_CONTROL_BYTES = 1024;
/** What may be asked for. */
export const CONTROL_ACTIONS = ['start', 'switch', 'pause-push', 'resume-push', 'link', 'cancel'] as const;

/** What a viewer asks for. */
export interface ControlMessage {
  readonly action: (typeof CONTROL_ACTIONS)[number];
  readonly rate: string;
  readonly rtt: string;
}

/** Reads what a viewer sent; undefined if it is nothing that may be asked for. */
export function readControl(bytes: Uint8Array): ControlMessage | undefined {
  if (bytes.length > MAX_CONTROL_BYTES) return undefined;
  if (findMsgpackFault(bytes, { depth: 1, entries: 8 }) !== undefined) return undefined;
  try {
    const map = new FieldReader(msgpack.decode(bytes), 'control');
    map.choice('kind', ['control']);
    return {
      action: map.choice('action', CONTROL_ACTIONS),
      rate: map.text('rate', 32),
      rtt: map.text('rtt', 32),
    };
  } catch {
    return undefined;
  }
}

/** The bytes for an end. */
export function encodeControl({ action, rate, rtt }: ControlMessage): Uint8Array {
  const link = action === 'link' ? { ...(rate && { rate }), ...(rtt && { rtt }) } : {};
  return msgpack.encode({ kind: 'control', action, ...link });
}
