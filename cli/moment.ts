/** A moment as people type it: a date, a time of day, or how long ago; always in UTC unless an offset is given. */
import { InvalidArgumentError } from 'commander';

/** What was typed, to be understood once it is known what time it is. */
export interface Moment {
  readonly typed: string;
  /** Milliseconds since the epoch. */
  at(nowMs: number): number;
}

const dayMs = 86_400_000;
const unitsMs = { s: 1_000, m: 60_000, h: 3_600_000, d: dayMs } as const;

const agoPattern = /^((?:\d{1,6}[smhd])+)(?:\s+ago)?$/;
const clockPattern = /^(\d{1,2}):(\d{2})(?::(\d{2}))?Z?$/;
const datePattern = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

function agoMs(typed: string): number | undefined {
  const [, spans] = agoPattern.exec(typed) ?? [];
  if (spans === undefined) return undefined;
  const parts = spans.match(/\d+[smhd]/g) ?? [];
  return parts
    .map((part) => Number(part.slice(0, -1)) * unitsMs[part.slice(-1) as keyof typeof unitsMs])
    .reduce((sum, each) => sum + each, 0);
}

/** From midnight, in milliseconds. */
function timeOfDayMs(typed: string): number | undefined {
  const [, hours, minutes, seconds = '0'] = clockPattern.exec(typed)?.map(Number) ?? [];
  if (hours === undefined || minutes === undefined) return undefined;
  const rest = Number.isNaN(Number(seconds)) ? 0 : Number(seconds);
  if (hours > 23 || minutes > 59 || rest > 59) return undefined;
  return hours * unitsMs.h + minutes * unitsMs.m + rest * unitsMs.s;
}

function dateMs(typed: string): number | undefined {
  const match = datePattern.exec(typed);
  if (!match) return undefined;
  const isWhole = typed.length > 10;
  const atMs = Date.parse(`${typed.replace(' ', 'T')}${isWhole && match[1] === undefined ? 'Z' : ''}`);
  // Date.parse takes the 30th of February for a day in March.
  const day = Date.parse(typed.slice(0, 10));
  const isDay = !Number.isNaN(day) && new Date(day).toISOString().startsWith(typed.slice(0, 10));
  return isDay && !Number.isNaN(atMs) ? atMs : undefined;
}

export function parseMoment(text: string): Moment {
  const typed = text.trim();
  const spanMs = agoMs(typed);
  if (spanMs !== undefined) return { typed, at: (nowMs) => nowMs - spanMs };
  const dayTimeMs = timeOfDayMs(typed);
  if (dayTimeMs !== undefined)
    return {
      typed,
      at(nowMs) {
        const today = nowMs - (nowMs % dayMs) + dayTimeMs;
        // Nobody asks what happened in the future.
        return today > nowMs ? today - dayMs : today;
      },
    };
  const atMs = dateMs(typed);
  if (atMs !== undefined) return { typed, at: () => atMs };
  throw new InvalidArgumentError(
    'It must be a time (in UTC) such as 2026-11-21T02:11Z, 2026-11-21 or 02:11, or how long ago, such as 10m or 2d.',
  );
}
