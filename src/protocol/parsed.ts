// What a parser of one record tells: the record and its length, or how many bytes it needs.

/** A decoded record, or how many bytes from its start must be there before it is worth another try. */
export type Parsed<R> =
  | { readonly record: R; readonly usedBytes: number }
  | { readonly record?: undefined; readonly wantedBytes: number };
