// The error of a matrix, or of a command line of the cells, that cannot be run as it stands.

/** What is wrong with a matrix or with what was asked for, told to a person; nothing has been run. */
export class MatrixError extends Error {
  override readonly name = 'MatrixError';
}
