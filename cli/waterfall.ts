/** The steps of an episode as a waterfall: when each began, how long it took, and a bar of its length. Pure. */
import type { Step } from '../shared/core/episode.ts';
import type { Style, Terminal } from './output.ts';

/** A stretch of time in an episode, or a moment where it has no length. */
export interface Span {
  readonly name: string;
  readonly eni: string | undefined;
  readonly fromMs: number;
  readonly toMs: number;
  /** What there is to say that the name does not: an answer, an output, a reason. */
  readonly detail: string | undefined;
  readonly times: number;
}

/** These say what the head of the episode says, or what the next line shows. */
const silent = new Set(['claimed', 'resumed', 'verified', 'closed']);

/** The id that was meant is elsewhere in the record; what EC2 answered beside it is not. */
const saidBy = ({ step, detail }: Step) =>
  silent.has(step) ? undefined : detail?.replace(/^(?:eni-attach|i)-[0-9a-f]+(?:: |$)/, '') || undefined;

function spanOf(step: Step): Span {
  const { step: name, eni, atMs, times = 1, untilMs } = step;
  return { name, eni, fromMs: beginOf(step), toMs: untilMs ?? atMs, detail: saidBy(step), times };
}

/** When a step of the log began: it is written when it is over. */
const beginOf = ({ atMs, durationMs = 0 }: Step) => atMs - durationMs;

interface Ended {
  /** The step that only says so, and needs no line of its own. */
  readonly by?: Step;
  readonly atMs: number;
}

/**
 * When what this step began was over. A detach has come about once the interface is seen detached, or attached
 * elsewhere; an attach once it is seen attached, or all of them are. A call that came to nothing was over with its
 * answer: it is made again, or another member is tried.
 */
function endOf(step: Step, later: readonly Step[]): Ended | undefined {
  const after = later.filter((each) => each.eni === step.eni);
  const stage = /^(.+)-begun$/.exec(step.step)?.[1];
  if (stage !== undefined) {
    const by = after.find((each) => each.step === `${stage}-ended`);
    return by && { by, atMs: by.atMs };
  }
  const isDetach = /^detach(?:-forced)?$/.test(step.step);
  if ((!isDetach && step.step !== 'attach') || saidBy(step) !== undefined) return undefined;
  const next = after.find((each) => /^(?:detach|detach-forced|detached|attach|attached)$/.test(each.step));
  if (next?.step === (isDetach ? 'detached' : 'attached')) return { by: next, atMs: next.atMs };
  if (isDetach) return next?.step === 'attach' ? { atMs: beginOf(next) } : undefined;
  const verified = next ? undefined : later.find((each) => each.step === 'verified');
  return verified && { atMs: verified.atMs };
}

/** `fence (stop i-…)` and `done: it is stopped`: what was to be done, and how it ended; its output is told elsewhere. */
const stageDetail = (begun: Step, ended: Step) =>
  `${begun.detail?.replace(/^\S+ \((.*)\)$/, '$1')}: ${ended.detail?.replace(/:.*$/s, '')}`;

/** Each call and stage with what came of it, in the order in which they began. */
export function toSpans(steps: readonly Step[]): readonly Span[] {
  const taken = new Set<Step>();
  const spans: Span[] = [];
  for (const [index, step] of steps.entries()) {
    if (taken.has(step)) continue;
    const end = endOf(step, steps.slice(index + 1));
    if (!end) {
      spans.push(spanOf(step));
      continue;
    }
    const { by, atMs } = end;
    if (by) taken.add(by);
    const span = { ...spanOf(step), toMs: Math.max(step.atMs, atMs) };
    const stage = /^(.+)-begun$/.exec(step.step)?.[1];
    spans.push(stage && by ? { ...span, name: stage, detail: stageDetail(step, by) } : span);
  }
  return spans.toSorted((one, other) => one.fromMs - other.fromMs);
}

/** `120 ms`, `3.4 s`, `2 min 05 s`, `1 h 10 min`. */
export function tookOf(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  const two = (number: number) => String(number).padStart(2, '0');
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

const gap = '  ';
const widest = (texts: readonly string[]) => Math.max(0, ...texts.map((text) => text.length));
/** Finer where all of it is short. */
const offsetOf = (ms: number, wholeMs: number) => `+${(ms / 1_000).toFixed(wholeMs < 10_000 ? 2 : 1)} s`;

/** A bar of its part of the whole, where it lies in the whole; a moment is a mark. */
function barOf({ fromMs, toMs }: Span, startMs: number, endMs: number, width: number): string {
  const whole = Math.max(1, endMs - startMs);
  const cell = (atMs: number) => Math.round(((atMs - startMs) / whole) * (width - 1));
  const first = cell(fromMs);
  const isMoment = toMs - fromMs < 1;
  return ' '.repeat(first) + (isMoment ? '│' : '█'.repeat(Math.max(1, cell(toMs) - first)));
}

function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

const trouble = /\b(?:failed|refused|timed-out|stuck|gone|unmovable|third-party|dropped)\b/;
const styleOf = ({ name, detail = '' }: Span): Style | undefined =>
  trouble.test(name) || trouble.test(detail) ? 'red' : undefined;

/** In a pipe as on the narrowest terminal that people still use. */
const usualWidth = 80;
const narrowestBar = 12;

export function waterfall(
  steps: readonly Step[],
  openedAtMs: number,
  closedAtMs: number,
  { columns = usualWidth, style }: Terminal,
): string {
  const spans = toSpans(steps);
  const startMs = Math.min(openedAtMs, ...spans.map((each) => each.fromMs));
  const endMs = Math.max(closedAtMs, ...spans.map((each) => each.toMs));
  const rows = spans.map((span) => ({
    span,
    offset: offsetOf(span.fromMs - startMs, endMs - startMs),
    name: span.times > 1 ? `${span.name} ×${span.times}` : span.name,
    took: span.toMs > span.fromMs ? tookOf(span.toMs - span.fromMs) : '',
  }));
  const offset = widest(rows.map((each) => each.offset));
  const name = widest(rows.map((each) => each.name));
  const eni = widest(rows.map(({ span }) => span.eni ?? ''));
  const took = widest(rows.map((each) => each.took));
  const before = [offset, name, eni, took].filter((width) => width > 0);
  const left = columns - before.reduce((sum, width) => sum + width + gap.length, 0) - gap.length;
  const bar = Math.max(narrowestBar, left);
  const indent = ' '.repeat(gap.length + offset + gap.length);
  return rows
    .flatMap((row) => {
      const { span } = row;
      const cells = [
        style('dim', row.offset.padStart(offset)),
        row.name.padEnd(name),
        ...(eni > 0 ? [(span.eni ?? '').padEnd(eni)] : []),
        ...(took > 0 ? [row.took.padStart(took)] : []),
      ];
      const color = styleOf(span);
      const shape = barOf(span, startMs, endMs, bar);
      const line = gap + [...cells, color ? style(color, shape) : shape].join(gap);
      const details = span.detail ? wrapped(span.detail, Math.max(20, columns - indent.length - 2)) : [];
      return [line, ...details.map((each) => `${indent}${gap}${style(color ?? 'dim', each)}`)];
    })
    .join('\n');
}
