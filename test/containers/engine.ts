// A container engine for one test run: podman with a store, networks and a socket of its own, none of which outlives it.
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { accessSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** Debian's packages that this takes. */
const PACKAGES = ['podman', 'runc', 'netavark', 'aardvark-dns', 'iptables', 'debootstrap', 'docker-compose'];
const INSTALL_LIMIT_MS = 180_000;
const COMMAND_LIMIT_MS = 120_000;
const SOCKET_LIMIT_MS = 20_000;
const POLL_MS = 50;

/**
 * What these hosts need: crun refuses their hybrid cgroups, and there is no systemd to make any; limits above those that
 * we have are not permitted; there is no journal.
 */
function containersConf(directory: string): string {
  return `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "${directory}/tmp"
[network]
network_backend = "netavark"
network_config_dir = "${directory}/networks"
`;
}

/** No overlay of file systems is taken for granted: each layer is a copy. */
function storageConf(directory: string): string {
  return `[storage]
driver = "vfs"
runroot = "${directory}/run"
graphroot = "${directory}/graph"
`;
}

function isInstalled(name: string): boolean {
  const { stdout } = spawnSync('dpkg', ['--get-selections', name], { encoding: 'utf8' });
  return /\sinstall$/m.test(stdout);
}

/** Why there can be no containers here, after what is missing was installed where it can be; undefined if there can be. */
export function whyNoContainers(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux for containers';
  try {
    accessSync('/usr/bin/dpkg-query');
    if (!/^VERSION_CODENAME=bookworm$/m.test(readFileSync('/etc/os-release', 'utf8')))
      throw new Error('other');
  } catch {
    return 'needs Debian 12 for containers: others were not tried';
  }
  const missing = PACKAGES.filter((name) => !isInstalled(name));
  if (missing.length === 0) return undefined;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, encoding: 'utf8', timeout: INSTALL_LIMIT_MS } as const;
  spawnSync('apt-get', ['update', '-qq'], options);
  const { status, stderr } = spawnSync(
    'apt-get',
    ['install', '-y', '-qq', '--no-install-recommends', ...missing],
    options,
  );
  if (status === 0) return undefined;
  return `needs ${missing.join(', ')} for containers: ${stderr.trim().split('\n').at(-1)}`;
}

/** How a command of the engine is run. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly limitMs?: number;
}

/** A running engine. */
export class Engine {
  /** Everything that it has lies below. */
  readonly directory = mkdtempSync(join(tmpdir(), 'postcopy-containers-'));
  readonly env: NodeJS.ProcessEnv;
  readonly #socketPath = join(this.directory, 'podman.sock');
  readonly #children = new Set<ChildProcess>();
  #isClosed = false;

  constructor() {
    const containers = join(this.directory, 'containers.conf');
    const storage = join(this.directory, 'storage.conf');
    writeFileSync(containers, containersConf(this.directory));
    writeFileSync(storage, storageConf(this.directory));
    this.env = {
      ...process.env,
      NODE_OPTIONS: '', // of the test runner
      CONTAINERS_CONF: containers,
      CONTAINERS_STORAGE_CONF: storage,
      DOCKER_HOST: `unix://${this.#socketPath}`,
    };
    // Whatever ends this process, nothing of it stays.
    process.on('exit', () => this.close());
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  }

  /** Answers as a Docker engine from here on. */
  async serve(): Promise<void> {
    this.start('podman', ['system', 'service', '--time=0', `unix://${this.#socketPath}`]);
    const deadlineMs = performance.now() + SOCKET_LIMIT_MS;
    while (!(await this.#answers())) {
      if (performance.now() > deadlineMs) throw new Error(`podman does not listen at ${this.#socketPath}`);
      await sleep(POLL_MS);
    }
  }

  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.#socketPath, () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
  }

  /** Runs a command to its end and returns what it printed. Rejects with what it said when it fails. */
  async run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { env = {}, cwd = this.directory, limitMs = COMMAND_LIMIT_MS } = options;
    const { stdout } = await promisify(execFile)(command, args, {
      cwd,
      env: { ...this.env, ...env },
      timeout: limitMs,
      maxBuffer: 64 * 2 ** 20,
    });
    return stdout;
  }

  /** Starts a command that goes on until it ends, or the engine does. */
  start(command: string, args: readonly string[]): ChildProcess {
    const child = spawn(command, args, {
      cwd: this.directory,
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    child.stdout.resume();
    child.stderr.resume();
    return child;
  }

  /** Removes containers, networks, images, and all that was written. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const podman = (...args: string[]) =>
      spawnSync('podman', args, { cwd: this.directory, env: this.env, timeout: COMMAND_LIMIT_MS });
    podman('rm', '--all', '--force', '--time', '0');
    podman('network', 'prune', '--force');
    for (const child of this.#children) child.kill('SIGKILL');
    podman('rmi', '--all', '--force');
    // What may still be mounted below is not ours to empty.
    spawnSync('rm', ['-rf', '--one-file-system', this.directory]);
  }
}
