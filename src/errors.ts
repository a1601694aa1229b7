// The errors that every room throws. A leaf: it imports nothing.

/** What an error may tell beside its message. */
export interface ErrorDetails {
  /** The error that led to this one. */
  readonly cause?: unknown;
  /** Byte offset in the stream where the offending record begins or the bad byte stands. */
  readonly offset?: number;
  /** Which stream `offset` counts in: `main`, `preempt`, `package` or `return path`. */
  readonly stream?: string;
  /** State of the migration when it happened. */
  readonly state?: string;
  /** The rules of the wire format that were broken, such as `D39`. */
  readonly rule?: string;
}

/** Base of all errors that a migration can end with. Match on `code`; each code has a heading in docs/errors.md. */
export class MigrationError extends Error {
  readonly code: string;
  readonly offset: number | undefined;
  readonly stream: string | undefined;
  readonly state: string | undefined;
  readonly rule: string | undefined;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.offset = details.offset;
    this.stream = details.stream;
    this.state = details.state;
    this.rule = details.rule;
  }
}

/** Bytes break the format. */
export class ProtocolError extends MigrationError {}
/** The peer asks for more than a documented maximum. */
export class LimitError extends MigrationError {}
/** Good bytes at the wrong time. */
export class StateError extends MigrationError {}
/** Unknown RAM block, out of range, unaligned, or page sizes that differ. */
export class MemoryMapError extends MigrationError {}
/** Refused, reset, timed out or ended early. */
export class TransportError extends MigrationError {}
/** A vCPU thread died, or the integrity check failed. */
export class GuestError extends MigrationError {}
/** A bad command line. */
export class OptionError extends MigrationError {}

const CLASSES = {
  MigrationError,
  ProtocolError,
  LimitError,
  StateError,
  MemoryMapError,
  TransportError,
  GuestError,
  OptionError,
} as const;

/** A MigrationError as plain data, for a message between threads or a JSON report. */
export interface ErrorRecord extends Omit<ErrorDetails, 'cause'> {
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

/** Flattens an error to plain data. An error that is not ours has the code `internal` and keeps its stack. */
export function toErrorRecord(error: unknown): ErrorRecord {
  if (!(error instanceof MigrationError)) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { name: 'Error', code: 'internal', message };
  }
  const record: Record<string, unknown> = { name: error.name, code: error.code, message: error.message };
  for (const key of ['offset', 'stream', 'state', 'rule'] as const) {
    if (error[key] !== undefined) record[key] = error[key];
  }
  return record as unknown as ErrorRecord;
}

/** Rebuilds the error that `toErrorRecord` flattened. */
export function fromErrorRecord(record: ErrorRecord): Error {
  const ErrorClass = CLASSES[record.name as keyof typeof CLASSES];
  if (ErrorClass === undefined) return new Error(record.message);
  return new ErrorClass(record.code, record.message, record);
}
