// The lanes of the vCPUs, like an oscilloscope: high while one runs, low and coloured by cause while it stands still.
import { PART_WORDS } from '../model/describe-now.ts';
import type { Fault } from '../model/frame.ts';
import { countText, durationText, momentText, offsetText } from '../model/quantities.ts';
import { causeOf, StallLane } from '../model/stall-lanes.ts';
import { lastAt } from '../model/time-order.ts';
import { switchoverOf } from '../model/whereabouts.ts';
import { byId, setText } from './elements.ts';
import { CAUSE_COLORS, type Palette } from './palette.ts';
import type { Moment, Session } from './session.ts';
import { Surface } from './surface.ts';
import { type TimeAxis, timeAt, timeTicks, xOf } from './time-axis.ts';
import type { Tip } from './tip.ts';

const EDGE = { left: 46, right: 8, bottom: 17 } as const;
const MOST_LANE_HEIGHT = 88;
/** A click so many pixels beside a stall still means it. */
const REACH = 5;

/** The lanes. */
export class LanesView {
  readonly #surface = new Surface(byId<HTMLCanvasElement>('lanes'));
  readonly #palette: Palette;
  readonly #session: Session;
  readonly #onOpen: (vcpu: number, stall: Fault) => void;
  #axis: TimeAxis = { from: 0, to: 1, left: 0, width: 1 };
  #moment: Moment | undefined;
  #laneCount = 0;
  #laneHeight = 0;

  constructor(session: Session, palette: Palette, tip: Tip, onOpen: (vcpu: number, stall: Fault) => void) {
    this.#session = session;
    this.#palette = palette;
    this.#onOpen = onOpen;
    const { canvas } = this.#surface;
    canvas.addEventListener('click', (event) => this.#open(this.#stallUnder(event)));
    canvas.addEventListener('keydown', (event) => this.#key(event));
    canvas.addEventListener('pointerleave', () => tip.hide());
    canvas.addEventListener('pointermove', (event) => {
      const found = this.#stallUnder(event);
      if (found === undefined) tip.hide();
      else tip.show(this.#describe(found.vcpu, found.stall), event.clientX, event.clientY);
    });
  }

  /** Draws everything: what a lane costs does not grow with the number of its stalls. */
  draw(moment: Moment): void {
    this.#moment = moment;
    const { run } = moment;
    const context = this.#surface.begin();
    const { width, height } = this.#surface;
    this.#axis = {
      from: moment.from,
      to: moment.to,
      left: EDGE.left,
      width: Math.max(1, width - EDGE.left - EDGE.right),
    };
    const vcpus = Math.max(run.ends.source.hello?.vcpus ?? 0, run.ends.destination.hello?.vcpus ?? 0);
    this.#laneCount = Math.max(vcpus, run.lanes.length);
    this.#laneHeight = Math.min(MOST_LANE_HEIGHT, (height - EDGE.bottom) / Math.max(1, this.#laneCount));
    this.#drawTicks(context, height);
    const { stoppedAt, runningAt } = switchoverOf(run);
    for (let vcpu = 0; vcpu < this.#laneCount; vcpu += 1) this.#drawLane(context, vcpu, stoppedAt, runningAt);
    this.#drawSwitchover(context, stoppedAt, runningAt);
    const x = xOf(this.#axis, moment.at);
    context.fillStyle = this.#palette.color('soft');
    if (!moment.isLive && x >= EDGE.left)
      context.fillRect(Math.round(x), 0, 1, this.#laneHeight * this.#laneCount);
    this.#tellFigures(moment);
  }

  #drawTicks(context: CanvasRenderingContext2D, height: number): void {
    const bottom = Math.min(height - EDGE.bottom, this.#laneHeight * this.#laneCount);
    context.textAlign = 'center';
    for (const { at, text } of timeTicks(this.#axis, this.#moment!.run.startAt, 90)) {
      const x = xOf(this.#axis, at);
      context.fillStyle = this.#palette.color('grid');
      context.fillRect(Math.round(x), 0, 1, bottom);
      context.fillStyle = this.#palette.color('faint');
      if (x > EDGE.left + 12 && x < EDGE.left + this.#axis.width - 14) context.fillText(text, x, bottom + 9);
    }
  }

  #drawLane(
    context: CanvasRenderingContext2D,
    vcpu: number,
    stoppedAt: number | undefined,
    runningAt: number | undefined,
  ): void {
    const { run, at } = this.#moment!;
    const top = vcpu * this.#laneHeight;
    const high = top + this.#laneHeight * 0.2;
    const low = top + this.#laneHeight * 0.82;
    context.textAlign = 'left';
    context.fillStyle = this.#palette.color('soft');
    if (this.#laneHeight >= 11) context.fillText(`vCPU ${vcpu}`, 0, (high + low) / 2);
    const lane = run.lanes[vcpu] ?? new StallLane();
    const open = lastAt(run.ends.destination.vcpus, at)?.list[vcpu];
    const openSince =
      open !== undefined && open.since > 0
        ? Math.max(open.since, lane.stalls.at(-1)?.running ?? 0)
        : undefined;
    const end = Math.min(this.#axis.width, xOf(this.#axis, Math.min(at, run.endAt)) - EDGE.left);
    const start = Math.max(0, xOf(this.#axis, run.startAt) - EDGE.left);
    const line = this.#palette.color('running');
    let wasLow = false;
    for (let x = Math.floor(start); x < end; x += 1) {
      const from = timeAt(this.#axis, EDGE.left + x);
      const to = timeAt(this.#axis, EDGE.left + x + 1);
      const left = EDGE.left + x;
      if (stoppedAt !== undefined && from >= stoppedAt && (runningAt === undefined || to <= runningAt)) {
        context.fillStyle = line;
        context.fillRect(left, low, 1, 1.5);
        wasLow = true;
        continue;
      }
      const isOpen = openSince !== undefined && to > openSince && lane.stalls[lane.indexAt(to)] === undefined;
      const isStill = openSince !== undefined && from >= openSince;
      const share = isOpen || isStill ? 1 : lane.standingShare(from, to);
      if (share > 0) {
        const stall = isStill ? undefined : lane.mainStall(from, to);
        const color = this.#palette.color(stall === undefined ? 'requested' : CAUSE_COLORS[causeOf(stall)]!);
        context.fillStyle = color;
        // A short stall is a short stroke: its depth is the share of time that it took of this pixel.
        const depth = Math.max(2, (low - high) * share);
        context.globalAlpha = 0.28;
        context.fillRect(left, high, 1.02, depth);
        context.globalAlpha = 1;
        context.fillRect(left, share > 0.98 ? low : high, 1.02, share > 0.98 ? 2.5 : Math.max(2, depth));
      }
      const isLow = share > 0.98;
      context.fillStyle = line;
      if (!isLow) context.fillRect(left, high, 1.02, 1.5);
      if (isLow !== wasLow && x > start) context.fillRect(left, high, 1, low - high + 1.5);
      wasLow = isLow;
    }
    this.#drawChosen(context, vcpu, top);
  }

  #drawChosen(context: CanvasRenderingContext2D, vcpu: number, top: number): void {
    const chosen = this.#session.stall;
    const lane = this.#moment!.run.lanes[vcpu];
    if (chosen?.vcpu !== vcpu || lane === undefined) return;
    const stall = lane.stalls[lane.indexAt(chosen.fault)];
    if (stall === undefined) return;
    const left = Math.max(EDGE.left, xOf(this.#axis, stall.fault));
    const right = Math.min(EDGE.left + this.#axis.width, xOf(this.#axis, stall.running));
    if (right < EDGE.left || left > EDGE.left + this.#axis.width) return;
    context.strokeStyle = this.#palette.color('ink');
    context.lineWidth = 1.5;
    context.strokeRect(
      left - 2,
      top + this.#laneHeight * 0.1,
      Math.max(4, right - left + 4),
      this.#laneHeight * 0.84,
    );
  }

  /** Where nobody runs: the guest is on its way. */
  #drawSwitchover(
    context: CanvasRenderingContext2D,
    stoppedAt: number | undefined,
    runningAt: number | undefined,
  ): void {
    const { at } = this.#moment!;
    if (stoppedAt === undefined || at < stoppedAt) return;
    const left = xOf(this.#axis, stoppedAt);
    const right = xOf(this.#axis, Math.min(at, runningAt ?? at));
    if (right < EDGE.left || left > EDGE.left + this.#axis.width) return;
    const height = this.#laneHeight * this.#laneCount;
    context.fillStyle = this.#palette.color('accent');
    context.globalAlpha = 0.14;
    context.fillRect(Math.max(left, EDGE.left), 0, Math.max(1, right - Math.max(left, EDGE.left)), height);
    context.globalAlpha = 1;
    context.fillRect(Math.round(Math.max(left, EDGE.left)), 0, 1, height);
  }

  #tellFigures({ run, at }: Moment): void {
    const { stoppedAt, runningAt } = switchoverOf(run);
    const stalls = lastAt(run.ends.destination.stalls, at);
    const words: string[] = [];
    if (stoppedAt !== undefined && runningAt !== undefined && runningAt > stoppedAt && at >= runningAt) {
      words.push(`downtime ${durationText(runningAt - stoppedAt)}`);
    }
    if (stalls !== undefined && stalls.count > 0)
      words.push(`${countText(stalls.count)} stalls, ${durationText(stalls.sum)} in all`);
    if (run.unlistedStalls > 0) words.push(`${countText(run.unlistedStalls)} not drawn`);
    setText(byId('lanes-figure'), words.join(' · '));
  }

  #stallUnder(event: MouseEvent): { vcpu: number; stall: Fault } | undefined {
    const vcpu = Math.floor(event.offsetY / this.#laneHeight);
    const lane = this.#moment?.run.lanes[vcpu];
    if (lane === undefined || event.offsetX < EDGE.left) return undefined;
    for (const reach of [0.5, REACH]) {
      const from = timeAt(this.#axis, event.offsetX - reach);
      const to = timeAt(this.#axis, event.offsetX + reach);
      const stall = lane.mainStall(from, to);
      if (stall !== undefined && stall.fault <= this.#moment!.at) return { vcpu, stall };
    }
    return undefined;
  }

  #describe(vcpu: number, stall: Fault): Parameters<Tip['show']>[0] {
    const words = PART_WORDS[causeOf(stall)]!;
    const took = durationText(stall.running - stall.fault);
    return {
      title: `vCPU ${vcpu} stood still for ${took}`,
      rows: [
        ['page', `${stall.block} ${offsetText(stall.offset)}`],
        ['when', momentText(stall.fault - this.#moment!.run.startAt)],
        ['most of it', words.name],
      ],
      history: [],
      words: `vCPU ${vcpu}, ${took}, ${stall.block} ${offsetText(stall.offset)}, ${words.name}`,
    };
  }

  #open(found: { vcpu: number; stall: Fault } | undefined): void {
    if (found === undefined) return;
    this.#session.stall = { vcpu: found.vcpu, fault: found.stall.fault };
    this.#session.version += 1;
    this.#onOpen(found.vcpu, found.stall);
  }

  #key(event: KeyboardEvent): void {
    const { stall: chosen } = this.#session;
    const lanes = this.#moment?.run.lanes ?? [];
    const vcpu = chosen?.vcpu ?? 0;
    const lane = lanes[vcpu];
    const index = chosen === undefined ? -1 : (lane?.indexAt(chosen.fault) ?? -1);
    let next: { vcpu: number; stall: Fault | undefined } | undefined;
    if (event.key === 'ArrowRight') next = { vcpu, stall: lane?.stalls[index + 1] };
    else if (event.key === 'ArrowLeft') next = { vcpu, stall: lane?.stalls[index - 1] };
    else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const beside = vcpu + (event.key === 'ArrowDown' ? 1 : -1);
      const other = lanes[beside];
      next = { vcpu: beside, stall: other?.stalls[Math.max(0, other.indexAt(chosen?.fault ?? 0))] };
    } else if (event.key === 'Enter' || event.key === ' ') {
      const stall = lane?.stalls[Math.max(0, index)];
      if (stall !== undefined) this.#open({ vcpu, stall });
    } else return;
    event.preventDefault();
    event.stopPropagation();
    if (next?.stall === undefined) return;
    this.#session.stall = { vcpu: next.vcpu, fault: next.stall.fault };
    this.#session.version += 1;
    byId('spoken').textContent = this.#describe(next.vcpu, next.stall).words;
  }
}
