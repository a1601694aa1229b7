// The time line of the whole run: its states, its throughput, and the moment that is shown, moved by pointer and keys.
import type { StateFrame } from '../model/frame.ts';
import { momentText } from '../model/quantities.ts';
import { bytesOf } from '../model/throughput.ts';
import { switchoverOf } from '../model/whereabouts.ts';
import { ratesEnd } from './charts-view.ts';
import { byId, setText } from './elements.ts';
import type { Palette } from './palette.ts';
import type { Moment, Session } from './session.ts';
import { Surface } from './surface.ts';
import { type TimeAxis, timeAt, xOf } from './time-axis.ts';

const EDGE = 10;
const BAND = 5;

/** The time line. */
export class TimelineView {
  readonly #surface = new Surface(byId<HTMLCanvasElement>('time'));
  readonly #session: Session;
  readonly #palette: Palette;
  #axis: TimeAxis = { from: 0, to: 1, left: EDGE, width: 1 };

  constructor(session: Session, palette: Palette) {
    this.#session = session;
    this.#palette = palette;
    const { canvas } = this.#surface;
    canvas.addEventListener('pointerdown', (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#scrub(event);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) this.#scrub(event);
    });
    byId('live').addEventListener('click', () => session.goTo(undefined));
    byId('play').addEventListener('click', () => session.play(!session.isPlaying));
  }

  #scrub(event: PointerEvent): void {
    this.#session.isPlaying = false;
    this.#session.goTo(timeAt(this.#axis, event.offsetX));
  }

  /** Moves by a key, which the page hands on wherever the focus is; whether it was one that moves. */
  step(key: string, isFar: boolean): boolean {
    const { startAt, endAt } = this.#session.shown.model;
    const step = (endAt - startAt) * (isFar ? 0.1 : 0.01);
    const { at } = this.#session.moment();
    if (key === 'Home') this.#session.goTo(startAt);
    else if (key === 'End') this.#session.goTo(undefined);
    else if (key === 'ArrowLeft' || key === 'PageDown') this.#session.goTo(at - step);
    else if (key === 'ArrowRight' || key === 'PageUp') this.#session.goTo(at + step);
    else return false;
    return true;
  }

  /** Draws it. */
  draw(moment: Moment): void {
    const { run, at } = moment;
    const context = this.#surface.begin();
    const { width, height } = this.#surface;
    const to = Math.max(run.endAt, run.startAt + 1e9);
    this.#axis = { from: run.startAt, to, left: EDGE, width: Math.max(1, width - 2 * EDGE) };
    this.#drawThroughput(context, moment, height);
    this.#drawStates(context, run.ends.source.states, 3, run.endAt);
    this.#drawStates(context, run.ends.destination.states, height - BAND - 3, run.endAt);
    const { stoppedAt } = switchoverOf(run);
    if (stoppedAt !== undefined) {
      context.fillStyle = this.#palette.color('accent');
      context.fillRect(Math.round(xOf(this.#axis, stoppedAt)), 0, 1, height);
    }
    const x = Math.round(xOf(this.#axis, Math.min(at, to)));
    context.fillStyle = this.#palette.color('ink');
    context.fillRect(x - 1, 0, 2, height);
    context.beginPath();
    context.arc(x, height / 2, 5, 0, 2 * Math.PI);
    context.fill();
    this.#tell(moment);
  }

  #drawThroughput(context: CanvasRenderingContext2D, { run }: Moment, height: number): void {
    const { rates } = ratesEnd(run);
    const columns = new Float64Array(Math.ceil(this.#axis.width) + 1);
    for (const frame of rates) {
      const x = Math.round(xOf(this.#axis, frame.at) - EDGE);
      const rate = bytesOf(frame) / Math.max(1, frame.intervalNs);
      const from = Math.max(0, Math.round(xOf(this.#axis, frame.at - frame.intervalNs) - EDGE));
      for (let i = from; i <= x && i < columns.length; i += 1) columns[i] = Math.max(columns[i]!, rate);
    }
    const most = columns.reduce((highest, value) => Math.max(highest, value), 0);
    if (most === 0) return;
    context.fillStyle = this.#palette.color('accent');
    context.globalAlpha = 0.22;
    const room = height - 2 * (BAND + 5);
    columns.forEach((value, x) => {
      const tall = (value / most) * room;
      context.fillRect(EDGE + x, height - BAND - 5 - tall, 1.02, tall);
    });
    context.globalAlpha = 1;
  }

  #drawStates(
    context: CanvasRenderingContext2D,
    states: readonly StateFrame[],
    y: number,
    endAt: number,
  ): void {
    const colors: Partial<Record<StateFrame['state'], string>> = {
      waiting: 'line',
      setup: 'faint',
      active: 'precopy',
      device: 'accent',
      'postcopy-active': 'push',
      'postcopy-paused': 'bad',
      completed: 'good',
      failed: 'bad',
      cancelled: 'faint',
    };
    states.forEach((entry, index) => {
      const left = xOf(this.#axis, entry.at);
      const right = xOf(this.#axis, states[index + 1]?.at ?? endAt);
      context.fillStyle = this.#palette.color(colors[entry.state] ?? 'line');
      context.fillRect(left, y, Math.max(1.5, right - left), BAND);
    });
  }

  #tell({ run, at, isLive }: Moment): void {
    const { canvas } = this.#surface;
    const seconds = (ns: number): string => (ns / 1e9).toFixed(3);
    canvas.setAttribute('aria-valuemax', seconds(run.endAt - run.startAt));
    canvas.setAttribute('aria-valuenow', seconds(at - run.startAt));
    canvas.setAttribute(
      'aria-valuetext',
      `${seconds(at - run.startAt)} seconds${isLive ? ', the newest moment' : ''}`,
    );
    setText(byId('moment'), momentText(at - run.startAt));
    byId('live').setAttribute('aria-pressed', String(isLive));
    setText(byId('live'), run.isOver ? 'end' : 'live');
    const { isPlaying } = this.#session;
    setText(byId('play'), isPlaying ? '❚❚' : '▶');
    byId('play').setAttribute('aria-label', isPlaying ? 'Stand still' : 'Play');
  }
}
