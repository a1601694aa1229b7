// Reads what a captured source sent, for tests that look at exchanges.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { repositoryUrl } from '../fixtures.ts';

/** The main stream and the preempt channel of a capture. */
export function readCapture(name: string): Uint8Array[] {
  return [0, 1].map((conn) =>
    gunzipSync(readFileSync(repositoryUrl(`test/fixtures/captures/${name}.c${conn}.fwd.bin.gz`))),
  );
}
