/** What is told when a scenario is over: figures, the message, the audit record, the verdict. Text in, text out. */
import { cloudWatchMs, toMoments } from './document.ts';
import { gapMsOf, toMove } from './gap.ts';
import { labels } from './happened.ts';
import type { Run } from './run-scenario.ts';
import { type Look, type Style, wrapped } from './screen.ts';
import { chainFaults, toRecord } from './state-table.ts';
import { told } from './subscriber.ts';
import { beforeAndAfter, expectedAndHappened } from './tables.ts';
import { heading, labelled, seconds } from './telling.ts';

const whole = (ms: number) => Math.round(ms / 1_000);

export function figures(run: Run, look: Look): readonly string[] {
  const move = toMove(run.facts.attachments);
  const { eventAtMs, failedAtMs } = toMoments(run);
  if (move === undefined || eventAtMs === undefined || failedAtMs === undefined) return [];
  const restMs = move.attachedAtMs - eventAtMs;
  const { least, most } = cloudWatchMs;
  const rows: readonly (readonly [string, string])[] = [
    [
      seconds(move.attachedAtMs - move.leftAtMs),
      'no service: the first interface leaves, the last is attached again',
    ],
    [seconds(restMs), "from the alarm's event to the last interface attached"],
    [
      seconds(Math.max(0, eventAtMs - failedAtMs)),
      'from the failed check to its alarm: the sandbox raises it at once',
    ],
    [`${whole(least)}–${whole(most)} s`, 'the same on AWS, where CloudWatch takes one to three minutes'],
    [
      `${whole(least + restMs)}–${whole(most + restMs)} s`,
      'so on AWS, from the failed check to the last interface attached',
    ],
  ];
  return [
    heading('How long it took', look),
    ...rows.map(([value, words]) => `${look.paint('bold', value.padStart(12))}  ${words}`),
  ];
}

const chunks = (text: string, width: number): readonly string[] =>
  Array.from({ length: Math.ceil(text.length / width) }, (_, index) =>
    text.slice(index * width, (index + 1) * width),
  );

/** The messages as the queue got them, to the last byte; where they are not the point, their JSON is only named. */
export function messages(run: Run, isWhole: boolean, look: Look): readonly string[] {
  const gutter = `  ${look.paint('cyan', '│')}`;
  const room = look.columns - 4;
  const beside = (texts: readonly string[], style?: Style) =>
    texts.map((line) => (line === '' ? gutter : `${gutter} ${style ? look.paint(style, line) : line}`));
  const lines = (text: string, style?: Style) => beside(wrapped(text, room), style);
  const shown = run.received.map((message) => {
    const { Subject = '', MessageAttributes = {} } = message;
    const { text, facts } = told(message);
    const programs = JSON.stringify(facts);
    const attributes = Object.entries(MessageAttributes).map(([name, { Value }]) => `${name}=${Value}`);
    const json = isWhole ? chunks(programs, room) : [`{…} ${Buffer.byteLength(programs)} bytes of JSON`];
    return [
      ...lines(Subject, 'bold'),
      gutter,
      ...text.split('\n').flatMap((line) => lines(line)),
      gutter,
      ...lines('and the facts around it, for programs:'),
      ...beside(json, 'dim'),
      gutter,
      ...lines(`attributes: ${attributes.join(' ')}`, 'dim'),
    ];
  });
  if (shown.length === 0) return [];
  const title =
    shown.length === 1
      ? "The message, as a subscriber's queue received it"
      : `The ${shown.length} messages, as a subscriber's queue received them`;
  return [heading(title, look), ...shown.flatMap((each, index) => (index === 0 ? each : ['', ...each]))];
}

const short = (hash: string) => (hash === '' ? 'nothing' : hash.slice(0, 12));

function counted(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => (count === 1 ? name : `${name} ×${count}`)).join(', ');
}

export function auditTrail(run: Run, look: Look): readonly string[] {
  const { facts, account, sinceMs } = run;
  const rows = facts.trail;
  const faults = chainFaults(rows, facts.item?.trail.head);
  const records = rows.map((row) => ({ row, record: toRecord(row) }));
  const last = records.findLast(({ row }) => row.atMs >= sinceMs)?.record;
  const { episode } = last ?? {};
  const mailed = run.received.some(({ Message }) => Message.includes(rows.at(-1)?.hash ?? '-'));
  const chain = records.map(({ row, record }) =>
    [
      `#${row.number}`,
      row.kind.padEnd(8),
      (record.outcome ?? record.code ?? '').padEnd(20),
      `${short(row.hash)} after ${short(record.previous)}`,
    ].join(' '),
  );
  const intact = [
    `intact: SHA-256 of ${rows.length} records computed again,`,
    `the last is the head that the service has${mailed ? ', and that the message carries' : ''}`,
  ].join(' ');
  const story: readonly (readonly [string, string])[] = last
    ? [
        ...(episode
          ? ([
              ['episode', `${episode.id}, ${episode.kind}, epoch ${last.epoch}`],
              ['evidence', episode.evidence],
              [
                'plan',
                `${episode.plan.source ?? 'nothing'} → ${episode.plan.target}, tried: ${episode.plan.tried.join(', ')}`,
              ],
              ['steps', counted(episode.steps.map((each) => each.step))],
            ] as const)
          : ([['detail', last.detail ?? '']] as const)),
        ['closed', last.closedAt ?? last.at],
      ]
    : [];
  return [
    heading(`The audit trail of ${account.service}`, look),
    ...labelled('records', chain, look),
    ...story.flatMap(([label, text]) => labelled(label, [account.named(text)], look)),
    ...(faults.length === 0
      ? labelled('hash chain', [intact], look, 'green')
      : labelled('hash chain', faults, look, 'red')),
  ];
}

const everythingSame =
  'both interfaces with the same id, MAC address, addresses, security groups and source/dest check, as DescribeNetworkInterfaces shows';

export function verdict(run: Run, isMain: boolean, look: Look): readonly string[] {
  const { comparisons, isAsExpected, account, happened, scenario } = run;
  const wrong = comparisons.filter((each) => !each.isSame).map((each) => labels[each.name]);
  const where = `${account.service} is on ${happened.holder}`;
  const text = !isAsExpected
    ? `✗ ${scenario.name}: not as expected: ${wrong.join(', ')}`
    : isMain
      ? `✓ ${where}: ${everythingSame}`
      : `✓ ${scenario.name}: as expected, ${happened.detached > 0 ? '' : 'nothing was detached, '}${where}`;
  const [first = '', ...rest] = wrapped(text, look.columns - 2);
  const lines = [first, ...rest.map((line) => `  ${line}`)];
  return lines.map((line) => look.paint(isAsExpected ? 'green' : 'red', line));
}

/** One line for each scenario that was played. */
export function scoreboard(runs: readonly Run[], look: Look): readonly string[] {
  const wide = Math.max(...runs.map(({ scenario }) => scenario.name.length));
  return [
    heading('All scenarios', look),
    ...runs.map(({ scenario, isAsExpected, happened, facts }) => {
      const gapMs = gapMsOf(facts.attachments);
      const cells = [
        isAsExpected ? look.paint('green', '✓') : look.paint('red', '✗'),
        scenario.name.padEnd(wide),
        happened.recorded.join(' ').padEnd(20),
        `on ${happened.holder}`.padEnd(8),
        gapMs === null ? 'not moved' : `${seconds(gapMs)} without service`,
      ];
      return cells.join('  ');
    }),
  ];
}

/** What follows the timeline: everything for the main job, what matters for another scenario. */
export function summary(run: Run, isMain: boolean, look: Look): readonly string[] {
  const hasMoved = run.happened.detached > 0;
  const sections: (readonly string[])[] = [];
  if (isMain)
    sections.push([
      heading('Before and after, as DescribeNetworkInterfaces shows them', look),
      beforeAndAfter(run.account, run.before, run.after, look),
    ]);
  if (isMain || !hasMoved) sections.push(messages(run, isMain, look));
  if (isMain) sections.push(auditTrail(run, look));
  if (isMain) sections.push(figures(run, look));
  if (!isMain || !run.isAsExpected)
    sections.push([heading('Expected and happened', look), expectedAndHappened(run.comparisons, look)]);
  sections.push(verdict(run, isMain, look));
  return sections.filter((lines) => lines.length > 0).flatMap((lines) => ['', ...lines]);
}
