// Makes a bare checkout runnable: installs the packages and compiles, each only when missing or stale.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

/** Newest modification time below the given paths, in ms. */
function newest(...paths) {
  let time = 0;
  for (const path of paths) {
    const stat = statSync(path);
    time = Math.max(time, stat.mtimeMs);
    if (stat.isDirectory()) {
      for (const entry of readdirSync(path)) time = Math.max(time, newest(`${path}/${entry}`));
    }
  }
  return time;
}

/** Whether `product` is missing or older than any of `inputs`. */
function isStale(product, ...inputs) {
  return !existsSync(product) || statSync(product).mtimeMs < newest(...inputs);
}

/** Runs a command; its own output goes to stderr, because stdout belongs to the command that follows. */
function run(command, args) {
  const { status } = spawnSync(command, args, { stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
}

if (isStale('node_modules/.package-lock.json', 'package.json', 'package-lock.json')) {
  process.stderr.write('postcopy: installing packages (once)\n');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}
if (isStale('dist/.tsbuildinfo', 'src', 'test', 'bench', 'tsconfig.json')) {
  process.stderr.write('postcopy: compiling\n');
  rmSync('dist', { recursive: true, force: true }); // else the output of a deleted source would stay and run
  for (const project of ['.', 'src/watch/page'])
    run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project]);
}
