// What a thread asks the owner of its sockets, and what that tells: see socket-owner.ts and owned-sockets.ts.
import type { ErrorRecord } from '../errors.ts';
import type { ChannelUri } from './uri.ts';

/** What is asked. */
export type SocketRequest =
  | { readonly do: 'connect'; readonly uri: ChannelUri; readonly timeoutMs: number }
  | { readonly do: 'listen'; readonly uri: ChannelUri }
  | { readonly do: 'accept' }
  | { readonly do: 'unlisten' }
  | { readonly do: 'read'; readonly channel: number }
  | { readonly do: 'write'; readonly channel: number; readonly bytes: Uint8Array }
  | { readonly do: 'end'; readonly channel: number }
  | { readonly do: 'destroy'; readonly channel: number };

/** The cells through which another thread uses the descriptor of a channel. */
export interface LentDescriptor {
  readonly descriptor: number;
  readonly reads: SharedArrayBuffer;
  readonly writes: SharedArrayBuffer;
}

/** A channel that was opened. */
export interface OpenedChannel extends LentDescriptor {
  /** Its number, in the order in which the channels were opened. */
  readonly channel: number;
  readonly peer: string;
}

/** A request, with a number for its answer. */
export interface NumberedRequest {
  readonly kind: 'socket-request';
  readonly number: number;
  readonly request: SocketRequest;
}

/** An answer, or what has come in on a channel. */
export type SocketNews =
  | {
      readonly kind: 'socket-answer';
      readonly number: number;
      readonly opened?: OpenedChannel;
      readonly uri?: string;
    }
  | {
      readonly kind: 'socket-answer';
      readonly number: number;
      readonly error: ErrorRecord;
      /** What the kernel called it, if it was the kernel. */
      readonly causeCode: string | undefined;
    }
  | { readonly kind: 'socket-data'; readonly channel: number; readonly bytes: Uint8Array }
  | { readonly kind: 'socket-end'; readonly channel: number }
  | { readonly kind: 'socket-error'; readonly channel: number; readonly error: ErrorRecord };
