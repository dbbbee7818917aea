/** Tells a run while it happens: drawn anew on a terminal, line by line in a pipe. */
import { makeScreen, type Screen } from '../screen.ts';
import { heading, labelled, paragraph, timelineHead, timelineLines } from '../telling.ts';
import { makeFrame } from './frame.ts';
import type { Narrator, PlayOptions, View } from './play.ts';
import { client, type Stage } from './stage.ts';
import { drawStrips, legend } from './strip.ts';

const story = [
  'Two members run a small counter service with its log on a shared disk: db-a is the primary, db-b its replica.',
  `A client writes through the service address ${1_000 / client.everyMs} times a second, the whole time.`,
  'Then db-a loses its network, and its process lives on, with a job on it that goes on writing.',
].join(' ');

function cast(
  { service, usual, registration }: Pick<Stage, 'service' | 'usual' | 'registration'>,
  { killPoint, latency, detection, fence }: PlayOptions,
  screen: Screen,
): readonly string[] {
  const { pair } = service;
  const times = [
    latency === 'realistic' ? 'EC2 takes its time' : 'EC2 answers at once (--latency instant)',
    detection === 'realistic'
      ? 'alarms come as late as in CloudWatch'
      : 'alarms come at once, CloudWatch takes 1 to 3 min',
  ];
  return [
    ...labelled(
      'service',
      [`${pair.name}, ${pair.eniId}, on ${pair.holder.host}; standby ${pair.standby.host}`],
      screen,
    ),
    ...labelled(
      'declared',
      [`fence: ${fence}, promote-counter after the move, serving when probe-counter says so`],
      screen,
    ),
    ...labelled(
      'registered',
      [registration.kind, ...registration.warnings.map((each) => `  ${pair.named(each)}`)],
      screen,
    ),
    ...labelled(
      'beside it',
      [`${usual.pair.name}: the usual way, with an interface and two instances of its own`],
      screen,
    ),
    ...labelled('kill', [`${killPoint.name}: ${killPoint.text}`], screen),
    ...labelled('times', [times.join('; ')], screen),
  ];
}

/** Before the failure there is a little of ordinary work to see. */
const leadMs = 3_000;

function strips({ service, usual, sinceMs, nowMs }: View, screen: Screen): readonly string[] {
  const period = { fromMs: sinceMs - leadMs, toMs: Math.max(nowMs, sinceMs), zeroMs: sinceMs };
  const tracks = [
    { label: 'eni-failover', attempts: service },
    { label: 'forty lines', attempts: usual },
  ];
  const { cellMs, lines } = drawStrips(tracks, period, screen);
  return [heading(legend(cellMs, screen), screen), ...lines];
}

const timeline = ({ steps, sinceMs }: View, screen: Screen): readonly string[] =>
  steps.flatMap((step) => timelineLines(step, sinceMs, screen));

function opening(options: PlayOptions, screen: Screen) {
  screen.line(heading('eni-failover demo · a stateful service, seen by its client', screen));
  for (const line of paragraph(story, screen)) screen.line(line);
  screen.line();
  return (stage: Stage) => {
    screen.wait();
    for (const line of cast(stage, options, screen)) screen.line(line);
    screen.line();
  };
}

export type NarratorOptions = Omit<PlayOptions, 'narrator'>;

/** The strips above, the timeline growing below them, both drawn anew until it is over; then both to stay. */
function makeLiveNarrator(options: PlayOptions, screen: Screen, stream: NodeJS.WriteStream): Narrator {
  const frame = makeFrame(stream);
  const ready = opening(options, screen);
  let last: View | undefined;
  return {
    preparing: (what) => screen.wait(what),
    ready,
    look(view) {
      last = view;
      frame.draw([...strips(view, screen), '', timelineHead(screen)], timeline(view, screen));
    },
    over() {
      screen.wait();
      frame.erase();
      if (last === undefined) return;
      for (const line of [...strips(last, screen), '', timelineHead(screen), ...timeline(last, screen)])
        screen.line(line);
    },
  };
}

/** A line is told this late, so that those of several logs come in order. */
const tellingLagMs = 1_000;

function makePlainNarrator(options: PlayOptions, screen: Screen): Narrator {
  const open = opening(options, screen);
  const told = new Set<string>();
  let last: View | undefined;
  const tell = ({ steps, sinceMs }: View, untilMs: number) => {
    for (const step of steps) {
      if (step.atMs > untilMs || told.has(step.key)) continue;
      told.add(step.key);
      for (const line of timelineLines(step, sinceMs, screen)) screen.line(line);
    }
  };
  return {
    preparing() {},
    ready(stage) {
      open(stage);
      screen.line(timelineHead(screen));
    },
    look(view) {
      last = view;
      tell(view, view.nowMs - tellingLagMs);
    },
    over() {
      if (last === undefined) return;
      tell(last, Number.POSITIVE_INFINITY);
      screen.line();
      for (const line of strips(last, screen)) screen.line(line);
    },
  };
}

export const silent: Narrator = { preparing() {}, ready() {}, look() {}, over() {} };

export function makeNarrator(
  options: NarratorOptions,
  stream: NodeJS.WriteStream = process.stdout,
): Narrator {
  const screen = makeScreen(stream);
  const all = { ...options, narrator: silent };
  const isLive = stream.isTTY === true && process.env['TERM'] !== 'dumb';
  return isLive ? makeLiveNarrator(all, screen, stream) : makePlainNarrator(all, screen);
}
