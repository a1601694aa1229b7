// The page in a browser without a network: it shows, in light and in dark, and something is drawn.
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { inflateSync } from 'node:zlib';
import t from 'tap';
import { summariseCells } from '../../bench/cells/cell-summary.ts';
import { reportHtml } from '../../bench/cells/report-html.ts';
import { temporaryDirectory } from '../e2e/command.ts';
import { sampleSweep } from './sample-runs.ts';

const LIMIT_MS = 120_000;
/** Pixels of the first colour: more than all legends have, less than the bars of the histograms do. */
const LEAST_DRAWN = 5000;
const [WIDTH, HEIGHT] = [1200, 2800] as const;

function findChromium(): string | undefined {
  return ['chromium', 'chromium-browser', 'google-chrome'].find((name) => {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}

const chromium = findChromium();
const skip = chromium === undefined && 'needs chromium: apt-get install chromium';

/** Runs the browser on a page, with every request into the network failing; returns what it printed. */
async function browse(
  t: { teardown(action: () => void): void },
  page: string,
  ...args: readonly string[]
): Promise<string> {
  const profile = temporaryDirectory(t);
  const { stdout } = await promisify(execFile)(
    chromium!,
    [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--no-first-run'],
      ...[
        '--host-resolver-rules=MAP * ~NOTFOUND',
        `--user-data-dir=${profile}`,
        `--window-size=${WIDTH},${HEIGHT}`,
      ],
      ...args,
      pathToFileURL(page).href,
    ],
    { timeout: LIMIT_MS, maxBuffer: 2 ** 26 },
  );
  return stdout;
}

/** How often each colour stands in a PNG of 8 bits a channel without interlacing, as browsers write it. */
function colorsOf(png: Buffer): Map<string, number> {
  const [width, height, channels] = [png.readUInt32BE(16), png.readUInt32BE(20), png[25] === 6 ? 4 : 3];
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length; at += png.readUInt32BE(at) + 12) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
      parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  }
  const raw = inflateSync(Buffer.concat(parts));
  const stride = width * channels;
  let above = Buffer.alloc(stride);
  const colors = new Map<string, number>();
  for (let row = 0; row < height; row += 1) {
    const filter = raw[row * (stride + 1)]!;
    const line = Buffer.from(raw.subarray(row * (stride + 1) + 1, (row + 1) * (stride + 1)));
    for (let i = 0; i < stride; i += 1) {
      const left = i < channels ? 0 : line[i - channels]!;
      const up = above[i]!;
      const corner = i < channels ? 0 : above[i - channels]!;
      line[i]! += predicted(filter, left, up, corner);
    }
    for (let i = 0; i < stride; i += channels) {
      const color = line.toString('hex', i, i + 3);
      colors.set(color, (colors.get(color) ?? 0) + 1);
    }
    above = line;
  }
  return colors;
}

/** What a filter of PNG adds to a byte. */
function predicted(filter: number, left: number, up: number, corner: number): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const estimate = left + up - corner;
  const [byLeft, byUp, byCorner] = [left, up, corner].map((value) => Math.abs(estimate - value)) as [
    number,
    number,
    number,
  ];
  if (byLeft <= byUp && byLeft <= byCorner) return left;
  return byUp <= byCorner ? up : corner;
}

t.test('the page in headless Chromium', { skip }, async (t) => {
  const directory = temporaryDirectory(t);
  const page = `${directory}/page.html`;
  writeFileSync(page, reportHtml(summariseCells(sampleSweep()), 'Sample'));

  const dom = await browse(t, page, '--dump-dom');
  t.match(dom, '<h1>Sample</h1>');
  t.ok((dom.match(/<svg/g)?.length ?? 0) > 6, 'it holds the plots');

  const shots = { light: ['ffffff', '2a78d6'], dark: ['14171b', '5ea2f0'] } as const;
  for (const [scheme, [background, line]] of Object.entries(shots)) {
    const path = `${directory}/${scheme}.png`;
    const options = scheme === 'dark' ? ['--blink-settings=preferredColorScheme=0'] : [];
    await browse(t, page, `--screenshot=${path}`, ...options);
    const colors = colorsOf(readFileSync(path));
    t.ok((colors.get(background) ?? 0) > (WIDTH * HEIGHT) / 2, `${scheme}: most of it is background`);
    t.ok(
      (colors.get(line) ?? 0) > LEAST_DRAWN,
      `${scheme}: bars, lines and points of the first colour are drawn`,
    );
  }
});
