// Tells which build of the program is measured.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../../../', import.meta.url);

/** A build. */
export interface BuildFacts {
  readonly version: string;
  /** Commit, followed by `+` where files differ from it; `null` outside of a clone. */
  readonly commit: string | null;
}

function git(...args: readonly string[]): string {
  return execFileSync('git', args, {
    cwd: fileURLToPath(ROOT),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
}

function findCommit(): string | null {
  try {
    const isChanged = git('status', '--porcelain', '--untracked-files=no', 'src', 'bench') !== '';
    return git('rev-parse', '--short=10', 'HEAD') + (isChanged ? '+' : '');
  } catch {
    return null;
  }
}

/** The build that runs. */
export function buildFacts(): BuildFacts {
  const manifest = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as { version: string };
  return { version: manifest.version, commit: findCommit() };
}

/** A build in words. */
export function describeBuild({ version, commit }: BuildFacts): string {
  return commit === null ? version : `${version} (${commit})`;
}
