// Tells an error where in which stream it happened.
import { MigrationError } from '../errors.ts';

/** The error with offset and stream, unless it has an offset already; errors that are not ours pass unchanged. */
export function locate(error: unknown, place: { offset: number; stream: string }): unknown {
  if (!(error instanceof MigrationError) || error.offset !== undefined) return error;
  return Object.assign(error, place);
}
