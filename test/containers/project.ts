// The project's docker-compose.yml, brought up by docker-compose as a person would.
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { repositoryUrl } from '../fixtures.ts';
import type { Engine } from './engine.ts';

const ROOT = fileURLToPath(repositoryUrl('.'));
const NAME = 'postcopytest';
const LINE_LIMIT_MS = 60_000;

/** One container of it. */
export class Container {
  readonly id: string;
  readonly #engine: Engine;

  constructor(engine: Engine, id: string) {
    this.#engine = engine;
    this.id = id;
  }

  /** Waits until it has printed a line that matches, and returns it. */
  async prints(expected: RegExp): Promise<string> {
    const logs = this.#engine.start('podman', ['logs', '--follow', this.id]);
    const timer = setTimeout(() => logs.kill(), LINE_LIMIT_MS);
    const lines = [logs.stdout!, logs.stderr!].map((input) => createInterface({ input }));
    try {
      return await new Promise<string>((resolve, reject) => {
        const seen: string[] = [];
        for (const stream of lines) {
          stream.on('line', (line) => {
            seen.push(line);
            if (expected.test(line)) resolve(line);
          });
        }
        logs.once('exit', () => reject(new Error(`nothing like ${expected} among:\n${seen.join('\n')}`)));
      });
    } finally {
      clearTimeout(timer);
      logs.kill();
    }
  }

  /** Takes its cable out. */
  async leaveNetwork(network: string): Promise<void> {
    await this.#engine.run('podman', ['network', 'disconnect', network, this.id]);
  }

  /** Puts it back in, under the name of its service. */
  async joinNetwork(network: string, service: string): Promise<void> {
    await this.#engine.run('podman', ['network', 'connect', '--alias', service, network, this.id]);
  }

  /** What its health check says now. */
  async isHealthy(): Promise<boolean> {
    return await this.#engine.run('podman', ['healthcheck', 'run', this.id]).then(
      () => true,
      () => false,
    );
  }

  /** Its exit code, when it has ended. */
  async ended(): Promise<number> {
    return Number(await this.#engine.run('podman', ['wait', this.id]));
  }

  /** All that it has printed. */
  async printed(): Promise<string> {
    return await this.#engine.run('sh', ['-c', 'podman logs "$1" 2>&1', 'sh', this.id]);
  }
}

/** Services that run, by their names. */
export class Project {
  readonly #engine: Engine;
  readonly env: Readonly<Record<string, string>>;

  /** `env` sets the variables that the file takes. */
  constructor(engine: Engine, env: Readonly<Record<string, string>>) {
    this.#engine = engine;
    this.env = env;
  }

  #compose(...args: string[]): Promise<string> {
    return this.#engine.run('docker-compose', ['--project-name', NAME, ...args], {
      env: this.env,
      cwd: ROOT,
    });
  }

  /** Name of its network. */
  get network(): string {
    return `${NAME}_migration`;
  }

  /** Starts all services, or these. */
  async up(...services: string[]): Promise<void> {
    await this.#compose('up', '--no-build', '--detach', ...services);
  }

  /** The container of a service. */
  async container(service: string): Promise<Container> {
    return new Container(this.#engine, (await this.#compose('ps', '--quiet', service)).trim());
  }

  /** Removes containers and network. */
  async down(): Promise<void> {
    await this.#compose('down', '--timeout', '1');
  }
}
