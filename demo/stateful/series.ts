/** Many runs, each with another kill point and a sandbox of its own, a few at a time: a table and a total. */
import { clipped, type Look, type Screen } from '../screen.ts';
import { heading, seconds } from '../telling.ts';
import { type KillPoint, killPoints } from './kill-points.ts';
import { silent } from './narrators.ts';
import { type Play, type PlayOptions, play } from './play.ts';

/** Most of a run is waiting; more at once would make the machine, not the controller, the slowest part. */
const atOnce = 4;

export type SeriesOptions = Omit<PlayOptions, 'killPoint' | 'narrator'>;

/** Spread evenly over the list; more runs than it is long begin again at its start. */
export function killPointsFor(runs: number): readonly KillPoint[] {
  const stride = Math.max(1, killPoints.length / runs);
  return Array.from(
    { length: runs },
    (_, index) => killPoints[Math.floor(index * stride) % killPoints.length],
  ).flatMap((each) => each ?? []);
}

export interface SeriesRun {
  readonly killPoint: KillPoint;
  readonly play: Play | undefined;
  /** Why there is none. */
  readonly problem: string | undefined;
}

export const isSafe = ({ play: run }: SeriesRun) => run?.outcome.isSafe === true;

/** In the order of their kill points, however they end. A run that cannot be played is a failed one. */
export async function playSeries(
  runs: number,
  options: SeriesOptions,
  onEnd: (run: SeriesRun, done: number) => void,
): Promise<readonly SeriesRun[]> {
  const points = killPointsFor(runs);
  const results: SeriesRun[] = [];
  let [next, done] = [0, 0];
  const worker = async () => {
    for (;;) {
      const index = next;
      next += 1;
      const killPoint = points[index];
      if (killPoint === undefined) return;
      const run = await playOne(killPoint, options);
      options.signal.throwIfAborted();
      results[index] = run;
      done += 1;
      onEnd(run, done);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, runs) }, worker));
  return results;
}

async function playOne(killPoint: KillPoint, options: SeriesOptions): Promise<SeriesRun> {
  try {
    const run = await play({ ...options, killPoint, narrator: silent });
    return { killPoint, play: run, problem: undefined };
  } catch (error) {
    if (options.signal.aborted) throw error;
    const problem = error instanceof Error ? error.message : String(error);
    return { killPoint, play: undefined, problem };
  }
}

const columns = { name: 29, killed: 6, dark: 8, acked: 6, lost: 5, after: 6, episodes: 12 } as const;
const verdictWidth = 3;

type Cells = Readonly<Record<keyof typeof columns, string>>;

const line = ({ name, killed, dark, acked, lost, after, episodes }: Cells) =>
  [
    clipped(name, columns.name).padEnd(columns.name),
    killed.padStart(columns.killed),
    dark.padStart(columns.dark),
    acked.padStart(columns.acked),
    lost.padStart(columns.lost),
    after.padStart(columns.after),
    ` ${episodes}`,
  ].join(' ');

export const tableHead = (look: Look): string =>
  look.paint(
    'dim',
    `${' '.repeat(verdictWidth)}${line({
      ...{ name: 'killed at', killed: 'killed', dark: 'dark', acked: 'acked', lost: 'lost', after: 'after' },
      episodes: 'episodes',
    })}`,
  );

export function tableLine(run: SeriesRun, look: Look): string {
  const sign = isSafe(run) ? look.paint('green', '✓') : look.paint('red', '✗');
  const { killPoint, play: played, problem } = run;
  if (played === undefined) return ` ${sign} ${killPoint.name}: ${problem}`;
  const { score, dark, kills, episodes } = played.outcome;
  const text = line({
    name: killPoint.name,
    killed: `${kills.done}/${kills.planned}`,
    dark: dark ? seconds(dark.totalMs) : 'still',
    acked: String(score.acknowledged),
    lost: String(score.lost.length),
    after: String(score.afterPromotion.length),
    episodes: episodes.join(' ') || 'none',
  });
  return ` ${sign} ${isSafe(run) ? text : look.paint('red', text)}`;
}

const sum = (runs: readonly SeriesRun[], of: (play: Play) => number) =>
  runs.reduce((total, { play: run }) => total + (run ? of(run) : 0), 0);

export function toTotal(runs: readonly SeriesRun[]) {
  return {
    runs: runs.length,
    safe: runs.filter(isSafe).length,
    oneEpisodeCompleted: runs.filter(({ play: run }) => run?.outcome.episodes.join() === 'COMPLETED').length,
    kills: sum(runs, ({ outcome }) => outcome.kills.done),
    acknowledgedWrites: sum(runs, ({ outcome }) => outcome.score.acknowledged),
    acknowledgedWritesLost: sum(runs, ({ outcome }) => outcome.score.lost.length),
    writesByOldPrimaryAfterPromotion: sum(runs, ({ outcome }) => outcome.score.afterPromotion.length),
    usualWayOnNothing: runs.filter(({ play: run }) => run?.outcome.usual.rests === 'nothing').length,
  };
}

export function totalLines(runs: readonly SeriesRun[], screen: Screen): readonly string[] {
  const total = toTotal(runs);
  const isRight = total.safe === total.runs;
  const faults = runs.flatMap(({ killPoint, play: run, problem }) =>
    (run?.outcome.faults ?? [problem]).map((fault) => `${killPoint.name}: ${fault}`),
  );
  return [
    '',
    heading(
      `${total.runs} runs, the controller killed ${total.kills === 1 ? 'once' : `${total.kills} times`}`,
      screen,
    ),
    `  acknowledged writes lost: ${total.acknowledgedWritesLost} of ${total.acknowledgedWrites}`,
    `  writes accepted by the old primary after the promotion: ${total.writesByOldPrimaryAfterPromotion}`,
    `  one episode, COMPLETED: ${total.oneEpisodeCompleted} of ${total.runs} runs`,
    `  the usual forty lines left their interface on nothing: ${total.usualWayOnNothing} of ${total.runs} runs`,
    ...(isRight ? [] : ['', ...faults.map((fault) => screen.paint('red', `✗ ${fault}`))]),
  ];
}
