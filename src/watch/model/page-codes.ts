// The states of pages by their code on the feed, with the words for them.

/** One state of a page. */
export interface PageCode {
  readonly code: number;
  readonly name: string;
  readonly doc: string;
}

/** What a destination says of its pages. */
export const DESTINATION_CODES: readonly PageCode[] = [
  { code: 0, name: 'missing', doc: 'has not come yet' },
  { code: 1, name: 'requested', doc: 'a vCPU stands still for it' },
  { code: 2, name: 'arriving', doc: 'some of it has come, not all' },
  { code: 3, name: 'by push', doc: 'came before anybody asked' },
  { code: 4, name: 'by request', doc: 'came because a vCPU waited' },
  { code: 5, name: 'zero', doc: 'came as a page of zeros' },
  { code: 6, name: 'discarded', doc: 'had come, is stale, comes again' },
  { code: 7, name: 'precopy', doc: 'came before the switchover' },
];

/** What a source says of its pages. */
export const SOURCE_CODES: readonly PageCode[] = [
  { code: 8, name: 'to be sent', doc: 'has not been sent yet' },
  { code: 9, name: 'sent', doc: 'was sent' },
  { code: 10, name: 'dirty', doc: 'was written since it was sent' },
];

/** How many codes there are; any other is taken for missing. */
export const CODE_COUNT = 11;
/** Codes of pages that the destination has. */
export const PRESENT_CODES = [3, 4, 5, 7] as const;

/** The word for a code. */
export function codeName(code: number): string {
  return [...DESTINATION_CODES, ...SOURCE_CODES].find((entry) => entry.code === code)?.name ?? 'missing';
}
