// Finds and reads the repository's files from compiled tests, which run from dist/test.
import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const ROOT = new URL('../../', import.meta.url);

/** URL of a file or directory, given by its path from the repository root. */
export function repositoryUrl(path: string): URL {
  return new URL(path, ROOT);
}

/** Content of a text file of the repository. */
export function readText(path: string): string {
  return readFileSync(repositoryUrl(path), 'utf8');
}

/** Paths from the repository root of all files below a directory, in order. */
export function listFiles(directory: string): string[] {
  return readdirSync(repositoryUrl(`${directory}/`), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const parent = entry.parentPath ?? entry.path;
      return `${parent}/${entry.name}`.slice(repositoryUrl('').pathname.length).replaceAll('//', '/');
    })
    .sort();
}

/** Unpacked bytes of one stream of a capture of QEMU, such as `a4-precopy-bios.c0.fwd`. */
export function readCapture(name: string): Uint8Array {
  const packed = readFileSync(repositoryUrl(`test/fixtures/captures/${name}.bin.gz`));
  return new Uint8Array(gunzipSync(packed));
}
