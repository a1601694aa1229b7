// The files of the page, all read beforehand: no path of a request ever names a file.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** One file that is served. */
export interface PageFile {
  readonly type: string;
  readonly content: Buffer;
}

const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';
/** Compiled folders whose modules the page loads, from the root of the compiled sources. */
const MODULE_FOLDERS = ['watch/page', 'watch/model'];
/** Modules of other rooms that those import. */
const OTHER_MODULES = ['machine/msgpack-limits.js'];
/** Files as they lie in the sources, in the checkout and in the package. */
const ASSETS: Readonly<Record<string, readonly [name: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/tokens.css': ['tokens.css', STYLE],
  '/head.css': ['head.css', STYLE],
  '/panels.css': ['panels.css', STYLE],
  '/overlays.css': ['overlays.css', STYLE],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
};

/** All files by the path that they are served under. Modules keep their folders, so that their imports hold. */
export function readPageFiles(): ReadonlyMap<string, PageFile> {
  const compiled = new URL('../', import.meta.url); // dist/src/
  const assets = new URL('../../../src/watch/assets/', import.meta.url);
  const files = new Map<string, PageFile>();
  for (const [path, [name, type]] of Object.entries(ASSETS)) {
    files.set(path, { type, content: readFileSync(new URL(name, assets)) });
  }
  const modules = MODULE_FOLDERS.flatMap((folder) =>
    readdirSync(new URL(`${folder}/`, compiled))
      .filter((name) => name.endsWith('.js'))
      .map((name) => `${folder}/${name}`),
  );
  for (const module of [...modules, ...OTHER_MODULES]) {
    files.set(`/src/${module}`, { type: SCRIPT, content: readFileSync(new URL(module, compiled)) });
  }
  const msgpack = createRequire(import.meta.url).resolve('msgpack-lite/dist/msgpack.min.js');
  files.set('/msgpack.js', { type: SCRIPT, content: readFileSync(msgpack) });
  return files;
}
