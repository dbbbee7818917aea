/**
 * Measures how long functions/audit takes for the first page of each kind of question, among ten thousand episodes: the
 * built bundle behind its URL in the sandbox, asked over HTTP with signed requests. `npm run bench:audit`.
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import Table from 'cli-table3';
import { startSandbox } from '../sandbox/server.ts';
import { makeUrlCaller } from '../shared/runtime/function-urls.ts';
import {
  eniOf,
  episodes,
  firstAtMs,
  instanceOf,
  lastAtMs,
  people,
  serviceOf,
  tenThousand,
} from '../test/app/ten-thousand.ts';
import { writeTrails } from '../test/app/written-trail.ts';

const asks = 30;
const day = 24 * 60 * 60 * 1_000;
const iso = (atMs: number) => new Date(atMs).toISOString();
const service = serviceOf(7);
const author = encodeURIComponent(people[0] ?? '');

/** What is asked, in words, and how. The whole fleet's questions name their range: the episodes lie in the past. */
const questions: readonly (readonly [string, string])[] = [
  ['a service', `records?service=${service}`],
  [
    'a service in one week',
    `records?service=${service}&from=${iso(firstAtMs + 70 * day)}&to=${iso(firstAtMs + 77 * day)}`,
  ],
  ['an instance', `records?instance=${instanceOf(7, 1)}`],
  ['an interface', `records?interface=${eniOf(7)}`],
  ['a person', `records?author=${author}`],
  ['a week', `records?from=${iso(firstAtMs + 70 * day)}&to=${iso(firstAtMs + 77 * day)}`],
  ['a week, a hundred records', `records?to=${iso(lastAtMs)}&limit=100`],
  ['a service and an outcome', `records?service=${service}&outcome=STRANDED`],
  ['a service, and nothing found', `records?service=${service}&outcome=NEVER`],
  ['an outcome in the whole fleet', `records?to=${iso(lastAtMs)}&outcome=STRANDED`],
  ['an instance and an outcome', `records?instance=${instanceOf(7, 1)}&outcome=STRANDED`],
  ['one episode', `episodes/${service}.200`],
  ['explain at a past time', `explain?service=${service}&at=${iso(firstAtMs + 100 * day)}`],
  ['verify a chain of 250', `verify?service=${service}`],
];

const root = new URL('..', import.meta.url).pathname;
process.env['AWS_ACCESS_KEY_ID'] = 'AKIABENCH';
process.env['AWS_SECRET_ACCESS_KEY'] = 'sandbox';
process.env['AWS_REGION'] ??= 'us-east-1';

const sandbox = await startSandbox({ templateFile: `${root}template.yaml` });
const { endpoint, region, stack } = sandbox;
const client = new DynamoDBClient({
  endpoint,
  region,
  credentials: { accessKeyId: 'AKIABENCH', secretAccessKey: 'sandbox' },
});
try {
  process.stderr.write(`filling the table with ${episodes} episodes\n`);
  const items = await writeTrails(client, String(stack.outputs['StateTable']), tenThousand());
  process.stderr.write(`${items} items; asking each question ${asks} times\n`);
  const call = makeUrlCaller();
  const table = new Table({
    head: ['first page for', 'items read', 'fastest ms', 'median ms', 'slowest ms'],
    style: { head: [], border: [], compact: true },
  });
  for (const [what, question] of questions) {
    const url = new URL(`v1/${question}`, stack.outputs['AuditUrl']);
    const took: number[] = [];
    let read: unknown = '';
    // The first one starts the function.
    for (let index = -1; index < asks; index += 1) {
      const begunAtMs = performance.now();
      const { status, body } = await call({ method: 'GET', url });
      if (index >= 0) took.push(performance.now() - begunAtMs);
      if (status !== 200) throw new Error(`${question}: ${status} ${body}`);
      read = (JSON.parse(body) as { read?: number }).read ?? '';
    }
    took.sort((one, other) => one - other);
    const [fastest = 0, median = 0, slowest = 0] = [took[0], took[asks / 2], took.at(-1)];
    table.push([what, String(read), fastest.toFixed(0), median.toFixed(0), slowest.toFixed(0)]);
  }
  process.stdout.write(`${table.toString()}\n`);
} finally {
  client.destroy();
  await sandbox.close();
}
