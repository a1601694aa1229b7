// The directory in which runs are kept, one file for each, named by the hash of cell and repeat.
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cell, DEFAULT_CELL } from './axes.ts';
import { MatrixError } from './matrix-error.ts';
import { RUN_FORMAT, type StoredRun } from './stored-run.ts';

const FILE_NAME = /^[0-9a-f]{32}\.json$/;

/** Runs that are kept. */
export class ResultStore {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** All runs of the directory, in order of their names. @throws MatrixError if it or a file in it cannot be read */
  load(): StoredRun[] {
    return this.#names().map((name) => this.#read(name));
  }

  /** All runs by their hash; none where there is no directory yet. @throws MatrixError as `load` */
  loadIfThere(): Map<string, StoredRun> {
    mkdirSync(this.directory, { recursive: true });
    return new Map(this.load().map((run) => [run.key, run]));
  }

  /** Keeps a run. A sweep that is killed in the middle of it leaves no half of a file under that name. */
  save(run: StoredRun): void {
    mkdirSync(this.directory, { recursive: true });
    const path = join(this.directory, `${run.key}.json`);
    const partial = `${path}.${process.pid}.partial`;
    writeFileSync(partial, `${JSON.stringify(run, undefined, 2)}\n`);
    renameSync(partial, path);
  }

  #names(): string[] {
    try {
      return readdirSync(this.directory)
        .filter((name) => FILE_NAME.test(name))
        .sort();
    } catch (error) {
      throw new MatrixError(`${this.directory}: ${(error as Error).message}`);
    }
  }

  #read(name: string): StoredRun {
    const path = join(this.directory, name);
    try {
      const run = JSON.parse(readFileSync(path, 'utf8')) as StoredRun;
      if (run.format !== RUN_FORMAT) {
        throw new Error(`expected a run of format ${RUN_FORMAT}, found ${JSON.stringify(run.format)}`);
      }
      // One that was kept before an axis was there stood where the default is.
      return { ...run, cell: { ...DEFAULT_CELL, ...run.cell } as Cell };
    } catch (error) {
      throw new MatrixError(`${path}: ${(error as Error).message}`);
    }
  }
}
