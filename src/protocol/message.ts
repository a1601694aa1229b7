// Declares a message once; from the declaration come its type, encoder, decoder, dissection and documentation.
import { ProtocolError } from '../errors.ts';
import type { Field } from './fields.ts';

/** The fields of a message, in wire order. */
// biome-ignore lint/suspicious/noExplicitAny: a field of any value type
export type Fields = Readonly<Record<string, Field<any>>>;

/** The values of a message with the fields `F`. */
export type ValuesOf<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** What is written down about a message. */
export interface MessageDeclaration<F extends Fields> {
  /** Code on the wire, copied from the format. */
  readonly code: number;
  /** One sentence for documentation. */
  readonly doc: string;
  readonly fields: F;
  /** Part of the extension: refused unless host page negotiation was agreed. */
  readonly extension?: true;
  /** Profile that knows it, if not every one. */
  readonly since?: '10.x';
  /** The payload may also be empty, which then means that no field is there. */
  readonly mayBeEmpty?: true;
}

/** A declared message. */
export interface MessageType<N extends string, F extends Fields> extends MessageDeclaration<F> {
  readonly name: N;
  /** Payload length in bytes if it never varies. */
  readonly fixedBytes: number | undefined;
  /** Payload bytes of the values. */
  encode(values: ValuesOf<F>): Uint8Array;
  /** Reads a whole payload. @throws ProtocolError `bad-payload` unless the fields fill it exactly */
  decode(bytes: Uint8Array): ValuesOf<F>;
  /** How many bytes the fields from `at` take; beyond `end`, how many must be there before that is known. */
  measure(bytes: Uint8Array, at: number, end: number): number;
  /** The fields as `name=value`, for a dissection. */
  show(values: ValuesOf<F>): string;
}

/** Joins byte arrays. */
export function joinBytes(pieces: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/** Makes a message type of its declaration. */
export function defineMessage<const N extends string, const F extends Fields>(
  name: N,
  declaration: MessageDeclaration<F>,
): MessageType<N, F> {
  const entries = Object.entries(declaration.fields);
  const fixedBytes = entries.reduce<number | undefined>(
    (total, [, field]) =>
      total === undefined || field.fixedBytes === undefined ? undefined : total + field.fixedBytes,
    0,
  );
  return {
    ...declaration,
    name,
    fixedBytes,
    encode(values) {
      return joinBytes(entries.map(([key, field]) => field.encode(values[key as keyof typeof values])));
    },
    measure(bytes, at, end) {
      let next = at;
      for (const [, field] of entries) {
        next += field.measure(bytes, next, end);
        if (next > end) return next - at;
      }
      return next - at;
    },
    decode(bytes) {
      const values: Record<string, unknown> = {};
      let at = 0;
      for (const [key, field] of entries) {
        const length = field.measure(bytes, at, bytes.length);
        if (at + length > bytes.length) {
          throw new ProtocolError(
            'bad-payload',
            `${name}: expected ${key} (${field.kind}) of ${length} bytes at byte ${at} of the payload, found ${bytes.length - at}`,
          );
        }
        values[key] = field.read(bytes, at, length);
        at += length;
      }
      if (at !== bytes.length) {
        throw new ProtocolError(
          'bad-payload',
          `${name}: expected ${at} bytes of payload, found ${bytes.length}`,
        );
      }
      return values as ValuesOf<F>;
    },
    show(values) {
      return entries
        .map(([key, field]) => `${key}=${field.show(values[key as keyof typeof values])}`)
        .join(' ');
    },
  };
}

/** A table of declared messages by name. */
// biome-ignore lint/suspicious/noExplicitAny: a message with any fields
export type MessageTable = Readonly<Record<string, MessageType<string, any>>>;

/** A decoded message of the table `T`: its name and its values. */
export type MessageIn<T extends MessageTable> = {
  [K in keyof T]: { readonly name: T[K]['name'] } & (T[K] extends MessageType<string, infer F>
    ? ValuesOf<F>
    : never);
}[keyof T];

/** Finds messages by their code on the wire. */
export function indexByCode<T extends MessageTable>(table: T): ReadonlyMap<number, T[keyof T]> {
  return new Map(Object.values(table).map((type) => [type.code, type as T[keyof T]]));
}
