// `postcopy record`: stands between two peers and writes down what passes.
import { OptionError } from '../errors.ts';
import { RecordingWriter } from '../recording/recording-writer.ts';
import { PROXY_OPTIONS, runProxy } from './live-proxy.ts';
import type { Arguments, CommandHelp } from './option-table.ts';
import { EXIT } from './output.ts';

/** Help and options of `postcopy record`. */
export const RECORD_HELP = {
  usage: 'postcopy record --listen URI --to URI --out DIR [OPTIONS]',
  summary: 'Stands between a source and a destination and records both directions with times.',
  options: {
    ...PROXY_OPTIONS,
    out: {
      value: 'DIR',
      doc: 'new or empty directory for c0.fwd.bin, c0.ret.bin, ..., index.jsonl, result.json',
    },
    json: { doc: 'print the result as one JSON object' },
    help: { short: 'h', doc: 'print this help' },
  },
  examples: [
    {
      doc: 'record a migration between two QEMUs',
      command: 'postcopy record --listen tcp:127.0.0.1:4444 --to tcp:127.0.0.1:4445 --out recording',
    },
    { doc: 'then look at it', command: 'postcopy dissect --summary recording' },
    { doc: 'or load it again', command: 'postcopy destination --replay recording' },
  ],
} as const satisfies CommandHelp;

/** Runs `postcopy record` and returns its exit code. @throws OptionError, TransportError */
export async function recordCommand(args: Arguments): Promise<number> {
  const directory = args.text('out');
  if (directory === undefined) throw new OptionError('missing-option', 'expected --out DIR, found none');
  if (args.positionals.length > 0)
    throw new OptionError('bad-option', `unexpected argument '${args.positionals[0]}'`);
  let recording: { readonly writer: RecordingWriter; readonly uri: string } | undefined;
  const recordedAt = new Date().toISOString();
  const { connections, tapError, isCancelled } = await runProxy(args, (uri) => {
    const writer = new RecordingWriter(directory);
    recording = { writer, uri };
    return {
      open: (conn) => writer.open(conn),
      append: (conn, dir, bytes) => writer.append(conn, dir, bytes),
      end: () => undefined,
    };
  });
  const { writer, uri } = recording!;
  const result = { recordedAt, listen: uri, to: args.text('to'), isCancelled, connections };
  writer.finish(result);
  // Said last: what was recorded up to it is complete.
  if (tapError !== undefined) throw tapError;
  const { wireBytes } = writer;
  const lines = Object.entries(wireBytes).map(([name, count]) => `${name} ${count} bytes`);
  const text = args.has('json') ? JSON.stringify({ ...result, wire_bytes: wireBytes }) : lines.join('\n');
  process.stdout.write(`${text}\n`);
  if (isCancelled) return EXIT.CANCELLED;
  return connections.some(({ error }) => error !== undefined) ? EXIT.FAILED : EXIT.COMPLETED;
}
