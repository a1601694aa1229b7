// The project's Dockerfile and docker-compose.yml, unchanged, as real containers: a migration from one to the other.
// Not among the tests of `npm test`, for it takes root and Debian's packages: `npm run test:containers`.
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { repositoryUrl } from '../fixtures.ts';
import { Engine, whyNoContainers } from './engine.ts';
import { Project } from './project.ts';
import { makeStandInImage } from './stand-in-image.ts';

const BASE = 'docker.io/library/node:22-bookworm-slim';
/** As docker-compose looks for it. */
const IMAGE = 'docker.io/library/postcopy';
const BUILD_LIMIT_MS = 240_000;

const skip = whyNoContainers() ?? false;

/** A small guest, over a link on which each of its phases can be seen. */
const SMALL = { RAM: '64M', SOURCE_HOST_PAGE: '2M', DESTINATION_HOST_PAGE: '16M', LINK: '200mbit' };

t.test('two containers', { skip, timeout: 540_000 }, async (t) => {
  const engine = new Engine();
  t.teardown(() => engine.close());

  await t.test('the Dockerfile builds on a stand-in for its base image', async (t) => {
    await makeStandInImage(engine, BASE);
    t.comment(
      `${BASE} is a stand-in here: Debian's minimal system with Node ${process.version} of this machine`,
    );
    const build = ['build', '--pull=never', '--network=host', '--layers=false', '--target=postcopy'];
    const root = fileURLToPath(repositoryUrl('.'));
    await engine.run('podman', [...build, `--tag=${IMAGE}`, root], { limitMs: BUILD_LIMIT_MS });
    const [image] = JSON.parse(await engine.run('podman', ['image', 'inspect', IMAGE])) as [
      { Size: number; Config: { User: string; Entrypoint: string[] } },
    ];
    const [base] = JSON.parse(await engine.run('podman', ['image', 'inspect', BASE])) as [{ Size: number }];
    t.equal(image.Config.User, 'node', 'it does not run as root');
    t.equal(image.Config.Entrypoint[0], 'node', 'no shell stands before the program');
    t.ok(
      image.Size - base.Size < 32 * 2 ** 20,
      `${(image.Size - base.Size) / 2 ** 20} MiB on top of the base`,
    );
    await engine.serve();
  });

  await t.test('the network is cut before the switch: both fail clearly, the guest goes on', async (t) => {
    const project = new Project(engine, { ...SMALL, TIMEOUT: '3000' });
    t.teardown(() => project.down());
    await project.up();
    const [source, destination] = await Promise.all([
      project.container('source'),
      project.container('destination'),
    ]);
    await source.prints(/^source: precopy/);
    await source.leaveNetwork(project.network);
    t.strictSame(await Promise.all([source.ended(), destination.ended()]), [1, 1]);
    const left = await source.printed();
    t.match(left, /^source: failed/m);
    t.match(left, /peer-silent: expected the destination to read within 3000 ms, found nothing/);
    t.match(left, /guest unharmed at the source\s+went on, [1-9]/);
    t.match(await destination.printed(), /^destination: failed[\s\S]*peer-silent/m);
  });

  await t.test('the migration runs between them and completes, with proof', async (t) => {
    const project = new Project(engine, SMALL);
    t.teardown(() => project.down());
    await project.up();
    const [source, destination] = await Promise.all([
      project.container('source'),
      project.container('destination'),
    ]);
    await source.prints(/^source: precopy/);
    t.strictSame(await Promise.all([source.isHealthy(), destination.isHealthy()]), [true, true]);
    t.strictSame(await Promise.all([source.ended(), destination.ended()]), [0, 0]);
    const received = await destination.printed();
    t.match(received, /^destination: completed/m);
    t.match(received, /^guest verified$/m);
    t.match(received, /pc\.ram +2 MiB +16 MiB +16 MiB/, 'negotiated: the pages of both, by the variables');
    t.match(await source.printed(), /200 Mbit\/s/, 'and the link');
  });
});
