// The project's Dockerfile and docker-compose.yml, unchanged, as real containers: a migration from one to the other.
// Not among the tests of `npm test`, for it takes root and Debian's packages: `npm run test:containers`.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { repositoryUrl } from '../fixtures.ts';
import { skip as noBrowser, openPage, shows, startBrowser } from '../watch/browser.ts';
import { Engine, whyNoContainers } from './engine.ts';
import { Project } from './project.ts';
import { makeStandInImage } from './stand-in-image.ts';

const BASE = 'docker.io/library/node:22-bookworm-slim';
/** As docker-compose looks for it. */
const IMAGE = 'docker.io/library/postcopy';
const BUILD_LIMIT_MS = 240_000;

const skip = whyNoContainers() ?? noBrowser;

/** A small guest, over a link on which each of its phases can be seen. */
const SMALL = {
  RAM: '64M',
  SOURCE_HOST_PAGE: '2M',
  DESTINATION_HOST_PAGE: '16M',
  LINK: '200mbit',
  TIMEOUT: '5000',
};

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

  const project = new Project(engine, { ...SMALL, WATCH_PORT: String(await freePort()) });
  t.teardown(() => project.down());
  await project.up();
  const [source, destination, watch] = await Promise.all([
    project.container('source'),
    project.container('destination'),
    project.container('watch'),
  ]);
  const browser = await startBrowser(t);
  await watch.prints(/^watch at /);
  const { page, errors } = await openPage(browser, `http://127.0.0.1:${project.env['WATCH_PORT']}/`);
  const start = page.locator('[data-action="start"]:enabled');

  await t.test('the migration runs between them by itself and completes, with proof', async (t) => {
    await shows(page, '#now', /Completed and verified/);
    await destination.prints(/^guest verified$/);
    const received = await destination.printed();
    t.match(received, /^destination: completed/m);
    t.match(received, /pc\.ram +2 MiB +16 MiB +16 MiB/, 'negotiated: the pages of both, by the variables');
    t.match(await source.printed(), /emulated, 200 Mbit\/s/, 'and the link');
    t.strictSame(
      await Promise.all([source, destination, watch].map((each) => each.isHealthy())),
      [true, true, true],
      'all are healthy',
    );
  });

  await t.test('the network is cut before the switch: both fail clearly, the guest goes on', async (t) => {
    await start.click();
    await shows(page, '#now', /The guest runs at the source while its memory is sent/);
    await source.leaveNetwork(project.network);
    await Promise.all([source.prints(/^source: failed/), destination.prints(/^destination: failed/)]);
    await source.prints(/^ +went on, [1-9]/);
    const left = await source.printed();
    t.match(left, /peer-silent: expected the destination to read within 5000 ms, found nothing/);
    t.match(left, /guest unharmed at the source\s+went on, [1-9]/);
    t.match(await destination.printed(), /^destination: failed[\s\S]*peer-silent/m);
    await source.joinNetwork(project.network, 'source');
    await shows(page, '#now', /The migration failed, and the guest goes on at the source/);
  });

  await t.test('with the network mended, and started again on the page, it completes', async (t) => {
    await start.click();
    await shows(page, '#now', /Completed and verified/);
    const proofs = (await destination.printed()).match(/^guest verified$/gm);
    t.equal(proofs?.length, 2);
    t.strictSame(errors, [], 'nothing went wrong in a script');
  });
});

/** A port that was free a moment ago: docker-compose cannot tell which one it took. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
