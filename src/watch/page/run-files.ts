// Saves the run that is shown to one file, and opens one, from a dialog or dropped on the page.
import {
  frameLength,
  MAX_SAVED_BYTES,
  readSavedRun,
  SAVED_RUN_EXTENSION,
  savedRunHead,
} from '../model/saved-run.ts';
import { byId } from './elements.ts';
import type { KeptRun } from './session.ts';

/** Who is told of an opened file. */
export interface RunFilesEvents {
  readonly onOpen: (name: string, frames: readonly Uint8Array[], fault: string | undefined) => void;
  readonly onFault: (words: string) => void;
}

/** Saves a run as a download. */
export function saveRun({ log, model }: KeptRun): void {
  const parts: Uint8Array[] = [savedRunHead()];
  for (const { bytes } of log.frames) parts.push(frameLength(bytes), bytes);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(
    new Blob(parts as Uint8Array<ArrayBuffer>[], { type: 'application/octet-stream' }),
  );
  const startedAtMs =
    model.ends.source.hello?.startedAtMs || model.ends.destination.hello?.startedAtMs || Date.now();
  const day = new Date(startedAtMs).toISOString().slice(0, 19).replaceAll(/[:T]/g, '-');
  link.download = `migration-${day}${SAVED_RUN_EXTENSION}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function openFile(file: File, events: RunFilesEvents): Promise<void> {
  if (file.size > MAX_SAVED_BYTES) {
    events.onFault(`${file.name} has ${file.size} bytes, more than a saved run may have.`);
    return;
  }
  const saved = readSavedRun(new Uint8Array(await file.arrayBuffer()));
  if (saved === undefined) events.onFault(`${file.name} is no saved run.`);
  else events.onOpen(file.name, saved.frames, saved.fault);
}

/** Opens what is chosen or dropped. */
export function wireOpening(events: RunFilesEvents): void {
  const input = byId<HTMLInputElement>('file');
  const open = (file: File | undefined): void => {
    if (file !== undefined) openFile(file, events).catch((error: Error) => events.onFault(error.message));
  };
  byId('open').addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    open(input.files?.[0]);
    input.value = '';
  });
  const drop = byId('drop');
  addEventListener('dragover', (event) => {
    event.preventDefault();
    drop.hidden = false;
  });
  addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) drop.hidden = true;
  });
  addEventListener('drop', (event) => {
    event.preventDefault();
    drop.hidden = true;
    open(event.dataTransfer?.files[0]);
  });
}
