/** What is told when a run is over: the dark time and its parts, what must be zero, the usual way, the notice. */
import { cloudWatchMs } from '../document.ts';
import { type Look, type Style, widthOf, wrapped } from '../screen.ts';
import { type Delivered, told } from '../subscriber.ts';
import { heading } from '../telling.ts';
import type { Outcome } from './outcome.ts';
import type { Play } from './play.ts';

const whole = (ms: number) => Math.round(ms / 1_000);
/** To the millisecond: the parts must be seen to add up. */
const seconds = (ms: number) => `${(ms / 1_000).toFixed(3)} s`;
const figureWidth = 9;
const nameWidth = 12;

/** `  16.33 s  controller  whatever explains it`, going on below itself where it has to. */
function figure(
  value: string,
  name: string,
  words: string,
  look: Look,
  style: Style = 'bold',
): readonly string[] {
  const before = figureWidth + 2 + (name === '' ? 0 : nameWidth);
  const [first = '', ...rest] = wrapped(words, look.columns - before - 1);
  return [
    `${look.paint(style, value.padStart(figureWidth))}  ${name === '' ? '' : name.padEnd(nameWidth)}${first}`,
    ...rest.map((line) => `${' '.repeat(before)}${line}`),
  ];
}

export function darkTime({ outcome, options }: Play, look: Look): readonly string[] {
  const { dark, stillDarkMs } = outcome;
  const title = heading('How long the client of orders-db was in the dark', look);
  if (dark === undefined) {
    const words = 'without an answer, and still none when the demo ended';
    return [title, ...figure(seconds(stillDarkMs ?? 0), '', words, look, 'red')];
  }
  const { least, most } = cloudWatchMs;
  const detection =
    options.detection === 'realistic'
      ? "until the alarm's event was on the bus, as late as CloudWatch is"
      : `until the alarm's event was on the bus: the sandbox raises the alarm at once. CloudWatch takes ${whole(least)} to ${whole(most)} s (--detection realistic waits for it)`;
  const nobody =
    dark.nobodyMs > 0
      ? `; ${seconds(dark.nobodyMs)} of it nobody was at work, until the lease of the one that was killed had run out`
      : '';
  return [
    title,
    ...figure(
      seconds(dark.totalMs),
      '',
      "from its last answer to its next one, by the client's own clock; of this",
      look,
    ),
    ...figure(seconds(dark.detectionMs), 'detection', detection, look),
    ...figure(
      seconds(dark.controllerMs),
      'controller',
      `while EC2 was busy with nothing of ours${nobody}`,
      look,
    ),
    ...figure(
      seconds(dark.ec2Ms),
      'EC2',
      'stopping the old instance, detaching, attaching, by its own log',
      look,
    ),
    ...figure(
      seconds(dark.promotionMs),
      'promotion',
      "from SSM's taking of the command to the first answer, the client's next try included",
      look,
    ),
  ];
}

const killed = ['not killed', 'killed once', 'killed twice'];

export function safety({ score, episodes, kills }: Outcome, look: Look): readonly string[] {
  const tone = (isRight: boolean): Style => (isRight ? 'green' : 'red');
  const { lost, afterPromotion } = score;
  const isOne = episodes.length === 1 && episodes[0] === 'COMPLETED';
  return [
    heading('What it cost', look),
    ...figure(
      String(lost.length),
      '',
      `acknowledged writes lost, of ${score.acknowledged}: ${lost.length === 0 ? 'each is on the disk under the number that it was given' : 'they are not on the disk, or others have their numbers'}`,
      look,
      tone(lost.length === 0),
    ),
    ...figure(
      String(afterPromotion.length),
      '',
      'writes accepted by the old primary after the promotion: its own lines in the log behind that one',
      look,
      tone(afterPromotion.length === 0),
    ),
    ...figure(
      String(episodes.length),
      '',
      `${episodes.length === 1 ? 'episode' : 'episodes'}, ${episodes.join(', ') || 'none closed'}; the controller was ${killed[kills.done] ?? `killed ${kills.done} times`}`,
      look,
      tone(isOne),
    ),
  ];
}

const endings: Readonly<Record<'running' | 'done' | 'killed' | 'failed', string>> = {
  running: 'still running',
  done: 'done',
  killed: 'killed',
  failed: 'failed',
};

export function usualWay({ outcome, pairs, options }: Play, look: Look): readonly string[] {
  const { usual } = outcome;
  const { tries, rests, darkMs, stillDarkMs, oldWrites } = usual;
  const { holder, standby } = pairs.usual;
  const startMs = tries[0]?.atMs ?? 0;
  const told = tries.map(({ atMs, outcome: end, said }, index) => {
    const when =
      index === 0
        ? 'the invocation'
        : `Lambda's retry ${index} after ${whole(atMs - startMs)} s (AWS: after ${index === 1 ? 1 : 3} min)`;
    return `${when}: ${endings[end]}${said ? `, ${pairs.usual.named(said)}` : ''}`;
  });
  const isNowhere = rests === 'nothing';
  const client =
    stillDarkMs !== undefined
      ? `its client has had no answer for ${seconds(stillDarkMs)}, and Lambda does not try again`
      : `its client was in the dark for ${seconds(darkMs ?? 0)}`;
  const { triggers, usualWay: like } = options.killPoint;
  const kill = like ? 'killed at the same call' : triggers.length > 0 ? 'with no call like it' : 'not killed';
  const bullets = [
    ...told,
    `its interface is on ${rests === 'nothing' ? 'nothing' : rests}${rests === holder.host ? ', which has failed' : ''}`,
    client,
    `${holder.host} was not stopped: ${oldWrites} writes of its own after the interface had left it${rests === standby.host ? `, beside those of ${standby.host}` : ''}`,
  ];
  return [
    heading(`The usual forty lines beside it, ${kill}`, look),
    ...bullets.flatMap((text) => {
      const [first = '', ...rest] = wrapped(text, look.columns - 6);
      const isBad = isNowhere && text.startsWith('its interface');
      return [`  · ${isBad ? look.paint('red', first) : first}`, ...rest.map((line) => `    ${line}`)];
    }),
  ];
}

const phoneWidth = 46;

/** As a lock screen shows it: the subject, and the lines for people. */
export function phone(message: Delivered, look: Look): readonly string[] {
  const { Subject = '' } = message;
  const [, ...body] = told(message).text.split('\n');
  const line = (text: string, style?: Style) =>
    wrapped(text, phoneWidth - 4).map((part) => {
      const padding = ' '.repeat(phoneWidth - 4 - widthOf(part));
      return `  │ ${style ? look.paint(style, part) : part}${padding} │`;
    });
  return [
    `  ╭${'─'.repeat(phoneWidth - 2)}╮`,
    ...line(Subject, 'bold'),
    ...body.flatMap((text) => line(text)),
    `  ╰${'─'.repeat(phoneWidth - 2)}╯`,
  ];
}

export function notices({ received }: Play, look: Look): readonly string[] {
  if (received.length === 0) return [heading('No notice was sent', look)];
  const title =
    received.length === 1 ? 'The notice, as a phone shows it' : 'The notices, as a phone shows them';
  return [heading(title, look), ...received.flatMap((each) => phone(each, look))];
}

export function verdict({ outcome }: Play, look: Look): readonly string[] {
  const text = outcome.isSafe
    ? '✓ nothing acknowledged was lost, the old primary wrote nothing afterwards, one episode, completed'
    : `✗ ${outcome.faults.join('; ')}`;
  return wrapped(text, look.columns - 2).map((line, index) =>
    look.paint(outcome.isSafe ? 'green' : 'red', index === 0 ? line : `  ${line}`),
  );
}

export const summary = (play: Play, look: Look): readonly string[] =>
  [
    notices(play, look),
    usualWay(play, look),
    darkTime(play, look),
    safety(play.outcome, look),
    verdict(play, look),
  ].flatMap((section) => ['', ...section]);
