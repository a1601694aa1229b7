// A stand-in for Node's image where no registry is in reach: Debian's minimal system with this machine's own Node.
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Engine } from './engine.ts';

const SUITE = 'bookworm';
const MIRROR = 'http://deb.debian.org/debian';
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
const USER_ID = 1000;
const BOOTSTRAP_LIMIT_MS = 240_000;

function outputOf(command: string, ...args: string[]): string {
  const { stdout, status } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`);
  return stdout.trim();
}

/** Node, npm and the user `node`, where the real image has them, and what npm needs to reach its registry from here. */
function addNode(root: string): void {
  const local = join(root, 'usr/local');
  cpSync(realpathSync(process.execPath), join(local, 'bin/node'));
  const modules = join(local, 'lib/node_modules');
  cpSync(join(outputOf('npm', 'root', '--global'), 'npm'), join(modules, 'npm'), {
    recursive: true,
    dereference: true,
  });
  for (const name of ['npm', 'npx'])
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, 'bin', name));
  appendFileSync(join(root, 'etc/passwd'), `node:x:${USER_ID}:${USER_ID}::/home/node:/bin/bash\n`);
  appendFileSync(join(root, 'etc/group'), `node:x:${USER_ID}:\n`);
  mkdirSync(join(root, 'home/node'));
  const settings = [`registry=${outputOf('npm', 'config', 'get', 'registry')}`];
  if (existsSync(CERTIFICATES)) {
    mkdirSync(join(root, 'etc/ssl/certs'), { recursive: true });
    cpSync(CERTIFICATES, join(root, CERTIFICATES), { dereference: true });
    settings.push(`cafile=${CERTIFICATES}`);
  }
  mkdirSync(join(local, 'etc'), { recursive: true });
  writeFileSync(join(local, 'etc/npmrc'), `${settings.join('\n')}\n`);
}

/** Makes the image `name`. */
export async function makeStandInImage(engine: Engine, name: string): Promise<void> {
  const root = join(engine.directory, 'base');
  await engine.run('debootstrap', ['--variant=minbase', SUITE, root, MIRROR], {
    limitMs: BOOTSTRAP_LIMIT_MS,
  });
  addNode(root);
  const pack = [
    '-C',
    root,
    '--exclude=./var/cache/apt',
    '--exclude=./var/lib/apt/lists',
    '--exclude=./usr/share/doc',
    '-c',
    '.',
  ];
  await engine.run('sh', ['-c', 'tar "$@" | podman import --quiet - "$NAME"', 'sh', ...pack], {
    env: { NAME: name },
  });
  await engine.run('rm', ['-rf', '--one-file-system', root]);
}
