// The page: joins the feed, lets every part draw what changed, and hands keys and files to who they are for.

import { presenceAt } from '../model/describe-now.ts';
import type { EndName, WatchFrame } from '../model/frame.ts';
import { percentText } from '../model/quantities.ts';
import { AgreementView } from './agreement-view.ts';
import { AnatomyView } from './anatomy-view.ts';
import { ChartsView } from './charts-view.ts';
import { ControlsView } from './controls-view.ts';
import { byId, pressOne, setText } from './elements.ts';
import { FeedSocket } from './feed-socket.ts';
import { HeaderView } from './header-view.ts';
import { HistogramView } from './histogram-view.ts';
import { Intake } from './intake.ts';
import { LanesView } from './lanes-view.ts';
import { LegendsView } from './legends-view.ts';
import { MapView } from './map-view.ts';
import { Notice } from './notice.ts';
import { Palette, wireTheme } from './palette.ts';
import { RecordsView } from './records-view.ts';
import { saveRun, wireOpening } from './run-files.ts';
import { RunsView } from './runs-view.ts';
import { Session } from './session.ts';
import { resizeCount } from './surface.ts';
import { TimelineView } from './timeline-view.ts';
import { Tip } from './tip.ts';

const session = new Session();
const palette = new Palette();
const tip = new Tip();
const notice = new Notice(byId('notice'));
let watch: WatchFrame | undefined;
let isConnected = false;

const intake = new Intake(session, {
  onWatch: (frame) => {
    watch = frame;
    session.version += 1;
    header.tellConnections(watch, isConnected);
    const lost = frame.ends.filter(({ end, isConnected: isJoined }) => !isJoined && !hasSaidAll(end));
    const words = lost.map(
      (end) => `The ${end.end} is not connected (${end.reason}); the watch goes on trying.`,
    );
    notice.state('ends', words.join(' '));
  },
  onAnswer: (frame) => notice.flash(ControlsView.answerWords(frame), !frame.ok),
});
const feed = new FeedSocket({
  onOpen: () => {
    isConnected = true;
    intake.clear();
    session.expectReplay();
    notice.state('page', '');
    header.tellConnections(watch, isConnected);
  },
  onLost: () => {
    if (isConnected || watch === undefined) {
      notice.state(
        'page',
        'The connection to the watch is lost; trying to mend it. What was seen stays here.',
      );
    }
    isConnected = false;
    header.tellConnections(watch, isConnected);
    session.version += 1;
  },
  onFrame: (bytes) => {
    const hasRoom = intake.add(bytes);
    if (!hasRoom)
      notice.state('flood', 'More came than can be taken in; the connection was closed and is made anew.');
    return hasRoom;
  },
});

/** Whether an end was never seen, or has said how it ended: then nobody misses it. */
function hasSaidAll(end: EndName): boolean {
  const { hello, results } = session.shown.model.ends[end];
  return hello === undefined || results.length > 0;
}

const header = new HeaderView();
const map = new MapView(session, palette, tip);
const anatomy = new AnatomyView(session);
const lanes = new LanesView(session, palette, tip, (vcpu, stall) => anatomy.open(vcpu, stall));
const charts = new ChartsView(palette);
const histogram = new HistogramView(palette, tip);
const timeline = new TimelineView(session, palette);
const legends = new LegendsView();
const agreement = new AgreementView();
const records = new RecordsView();
const runs = new RunsView(session);
const controls = new ControlsView(
  (bytes) => feed.send(bytes),
  (words, isBad) => notice.flash(words, isBad),
);

wireTheme(byId<HTMLButtonElement>('theme'), palette);
byId('save').addEventListener('click', () => saveRun(session.shown));
wireOpening({
  onFault: (words) => notice.flash(words, true),
  onOpen: (name, frames, fault) => {
    feed.close();
    intake.clear();
    session.reset();
    watch = { kind: 'watch', ends: [], control: false, file: name };
    header.tellConnections(watch, false);
    notice.state('page', '');
    notice.state('ends', '');
    notice.state('file', `Saved run: ${name}${fault === undefined ? '' : ` (${fault})`}`);
    for (const bytes of frames) intake.add(bytes);
  },
});

const endButtons = [...document.querySelectorAll<HTMLElement>('[data-map-end]')];
for (const button of endButtons) {
  button.addEventListener('click', () => {
    session.mapEnd = button.dataset['mapEnd'] as EndName;
    session.version += 1;
  });
}
const spanButtons = [...document.querySelectorAll<HTMLElement>('[data-span]')];
for (const button of spanButtons) {
  button.addEventListener('click', () => {
    const seconds = Number(button.dataset['span']);
    session.spanNs = Number.isNaN(seconds) ? undefined : seconds * 1e9;
    session.version += 1;
    pressOne(spanButtons, (one) => one === button);
  });
}

const words = byId<HTMLDialogElement>('words');
byId('words-button').addEventListener('click', () => words.showModal());
byId('words-close').addEventListener('click', () => words.close());

addEventListener('keydown', (event) => {
  const isTyping = event.target instanceof HTMLSelectElement || event.target instanceof HTMLInputElement;
  const isPressing =
    event.target instanceof HTMLButtonElement && (event.key === ' ' || event.key === 'Enter');
  if (isTyping || isPressing || words.open || event.ctrlKey || event.metaKey || event.altKey) return;
  const focus = { m: 'map', v: 'lanes', t: 'time' }[event.key.toLowerCase()];
  if (focus !== undefined) byId(focus).focus();
  else if (event.key === ' ') session.play(!session.isPlaying);
  else if (event.key.toLowerCase() === 'l') session.goTo(undefined);
  else if (event.key === '?') words.showModal();
  else if (event.key === 'Escape') anatomy.close();
  else if (!timeline.step(event.key, event.shiftKey)) return;
  event.preventDefault();
});

/** Which end's memory is shown: the destination's, unless the source's is chosen or all that is known. */
function mapEnd(): EndName {
  const { source, destination } = session.shown.model.ends;
  const isSource = (destination.hello?.blocks.length ?? 0) === 0 && (source.hello?.blocks.length ?? 0) > 0;
  return session.mapEnd ?? (isSource ? 'source' : 'destination');
}

let drawn = '';
let lastMs = performance.now();
function draw(nowMs: number): void {
  requestAnimationFrame(draw);
  session.advance(nowMs - lastMs);
  lastMs = nowMs;
  const moment = session.moment();
  const { run } = moment;
  const key = [session.version, palette.version, moment.at, moment.from, moment.to, resizeCount()].join();
  if (key === drawn) return;
  drawn = key;
  const end = mapEnd();
  const isNewest = session.shown === session.runs.at(-1);
  header.draw(moment);
  map.draw(moment, end);
  legends.draw(moment, end);
  lanes.draw(moment);
  charts.draw(moment);
  histogram.draw(moment);
  agreement.draw(moment);
  records.draw(moment);
  timeline.draw(moment);
  controls.draw(moment, watch, isNewest);
  runs.draw();
  pressOne(endButtons, (button) => button.dataset['mapEnd'] === end);
  byId<HTMLButtonElement>('save').disabled = session.shown.log.frames.length === 0;
  const { presentBytes, totalBytes } = presenceAt(run, moment.at);
  setText(
    byId('map-figure'),
    totalBytes === 0 ? '' : `${percentText(presentBytes / totalBytes)} at the destination`,
  );
  const missed = run.ends.source.missedFrames + run.ends.destination.missedFrames;
  const refused = run.refused > 0 ? `${run.refused} frames were refused (${run.lastRefusal}).` : '';
  notice.state(
    'refused',
    [missed > 0 ? `${missed} frames were dropped for this watch.` : '', refused].filter(Boolean).join(' '),
  );
}
requestAnimationFrame(draw);
