// Runs the yardstick: a bare Node sender and receiver of as many bytes as a migration moves.
import { MeasuredProcess } from './measured-process.ts';

/** What becomes of the received bytes (see bare-end.ts). */
export type BareKind = 'drop' | 'land';

const BARE_END = new URL('./bare-end.js', import.meta.url);

/** Moves `totalBytes` between two processes; returns MB/s as the sender saw it, the last byte's arrival included. */
export async function runBarePair(kind: BareKind, totalBytes: number): Promise<number> {
  const receiver = new MeasuredProcess('bare receiver', BARE_END, ['receive', kind, String(totalBytes)]);
  const [, port] = await receiver.awaitLine(/^listening (\d+)$/);
  const sender = new MeasuredProcess('bare sender', BARE_END, ['send', port!, String(totalBytes)]);
  const [{ stdout }] = await Promise.all([sender.finish(), receiver.finish()]);
  const { elapsedNs } = JSON.parse(stdout) as { elapsedNs: number };
  return (totalBytes / elapsedNs) * 1e3;
}
