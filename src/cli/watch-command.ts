// `postcopy watch`: serves the page for the feeds of two ends, or for a saved run.
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { OptionError } from '../errors.ts';
import { MAX_SAVED_BYTES, readSavedRun } from '../watch/model/saved-run.ts';
import { OUTPUT_OPTIONS } from './common-options.ts';
import type { Arguments, CommandHelp } from './option-table.ts';
import { EXIT, Output } from './output.ts';
import { ServedWatch } from './serve-watch.ts';
import { feedUrlOf } from './watch-options.ts';

/** Help and options of `postcopy watch`. */
export const WATCH_HELP = {
  usage: 'postcopy watch (--source URL | --destination URL | FILE) [OPTIONS]',
  summary: 'Serves a page to watch a migration on, live from the feeds of its ends or from a saved run.',
  options: {
    source: { value: 'URL', doc: 'feed of the source, ws://HOST:PORT/feed (postcopy source --feed)' },
    destination: { value: 'URL', doc: 'feed of the destination (postcopy destination --feed)' },
    port: { value: 'PORT', doc: 'port of the page; 0 takes a free one', default: '8080' },
    host: { value: 'HOST', doc: 'address that the page is served on; 0.0.0.0 is all', default: '127.0.0.1' },
    control: { doc: 'let viewers of the page steer the migration, where its ends let them too' },
    ...OUTPUT_OPTIONS,
  },
  examples: [
    {
      doc: 'both ends of a migration',
      command: 'postcopy watch --source ws://127.0.0.1:9001/feed --destination ws://127.0.0.1:9002/feed',
    },
    { doc: 'a run that was saved from the page', command: 'postcopy watch migration.postcopy-run' },
  ],
} as const satisfies CommandHelp;

/** @throws OptionError `bad-saved-run` */
function readFile(path: string): readonly Uint8Array[] {
  let bytes: Buffer;
  try {
    const { size } = statSync(path);
    if (size > MAX_SAVED_BYTES) throw new Error(`it has ${size} bytes, at most ${MAX_SAVED_BYTES} are read`);
    bytes = readFileSync(path);
  } catch (cause) {
    throw new OptionError('bad-saved-run', `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  const saved = readSavedRun(bytes);
  if (saved === undefined) throw new OptionError('bad-saved-run', `${path} is no saved run`);
  return saved.frames;
}

/** Runs `postcopy watch` until it is interrupted, and returns its exit code. @throws OptionError */
export async function watchCommand(args: Arguments): Promise<number> {
  const [path, surplus] = args.positionals;
  if (surplus !== undefined) throw new OptionError('bad-option', `unexpected argument '${surplus}'`);
  const ends = { source: feedUrlOf(args, 'source'), destination: feedUrlOf(args, 'destination') };
  if (path !== undefined) args.refuse(['source', 'destination', 'control'], 'on a saved run');
  else if (ends.source === undefined && ends.destination === undefined) {
    throw new OptionError(
      'missing-option',
      'expected --source URL, --destination URL, or the FILE of a saved run',
    );
  }
  const frames = path === undefined ? [] : readFile(path);
  const output = new Output('watch', args);
  const interrupted = new AbortController();
  const stopListening = output.onInterrupt(() => interrupted.abort());
  const address = { host: args.text('host')!, port: args.integer('port', 0, 65_535) };
  const watch = await ServedWatch.serve(address, args.has('control'), output);
  if (path !== undefined) watch.run.open(basename(path), frames);
  if (ends.source !== undefined) watch.run.join('source', ends.source);
  if (ends.destination !== undefined) watch.run.join('destination', ends.destination);
  try {
    await watch.stay(interrupted.signal);
  } finally {
    stopListening();
    await watch.close();
  }
  return EXIT.COMPLETED;
}
