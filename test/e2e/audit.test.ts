/** The trail over real HTTP: the built bundle behind its URL, asked after a real failover, and after somebody tampered. */
import { DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { StopInstancesCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EpisodeRecord, TrailPage, Verified } from '../../shared/core/audit-query.ts';
import type { ExplainedPast } from '../../shared/core/explain-at.ts';
import type { ServiceName } from '../../shared/core/ids.ts';
import { makeUrlCaller } from '../../shared/runtime/function-urls.ts';
import { openStage, type Stage } from './stage.ts';

const name = 'orders-db' as ServiceName;

let stage: Stage;
/** Just before the instance was stopped. */
let before: string;
beforeAll(async () => {
  stage = await openStage({ name, alarm: false });
  before = new Date().toISOString();
  const [holder = ''] = stage.instances;
  await stage.ec2.send(new StopInstancesCommand({ InstanceIds: [holder] }));
  await stage.until(async () => ((await stage.ports.store.trail(name, 1, 9)).length >= 2 ? true : undefined));
}, 60_000);
afterAll(() => stage.sandbox.close());

const urlOf = (question: string) => new URL(`v1/${question}`, stage.sandbox.stack.outputs['AuditUrl']);

async function ask<T>(question: string) {
  const former = { ...process.env };
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'AKIAANN', AWS_SECRET_ACCESS_KEY: 'sandbox' });
  try {
    const answer = await makeUrlCaller()({ method: 'GET', url: urlOf(question) });
    return { status: answer.status, document: JSON.parse(answer.body) as T };
  } finally {
    Object.assign(process.env, former);
  }
}

describe('functions/audit', { timeout: 60_000 }, () => {
  it('turns away whoever did not sign', async () => {
    expect((await fetch(urlOf('records'))).status).toBe(403);
  });

  it('finds the failover by service, instance, interface, author and time', async () => {
    const [holder] = stage.instances;
    const [eni] = stage.enis;
    for (const query of [
      `service=${name}`,
      `instance=${holder}`,
      `interface=${eni}`,
      'author=eni-failover',
      `from=${before}`,
      `service=${name}&kind=episode&outcome=COMPLETED`,
    ]) {
      const { status, document } = await ask<TrailPage>(`records?${query}`);
      expect(status).toBe(200);
      expect(document.records.find((each) => each.kind === 'episode')).toMatchObject({
        service: name,
        outcome: 'COMPLETED',
        author: 'eni-failover',
      });
    }
  });

  it('shows one episode with all its steps', async () => {
    const { status, document } = await ask<{ record: EpisodeRecord }>(`episodes/${name}.1`);
    expect(status).toBe(200);
    const steps = document.record.episode.steps.map(({ step }) => step);
    expect(steps).toEqual(expect.arrayContaining(['claimed', 'verified', 'closed']));
  });

  it('knows what was registered just before', async () => {
    const { document } = await ask<ExplainedPast>(`explain?service=${name}&at=${before}`);
    expect(document.answer).toMatchObject({
      verdict: 'watching',
      registered: { members: stage.instances },
      holder: { instance: stage.instances[0] },
      lastEpisode: null,
    });
  });

  it('names every problem of a question at once', async () => {
    const { status, document } = await ask<{ problems: string[] }>('records?service=X&limit=0&autor=ann');
    expect(status).toBe(400);
    expect(document.problems.map((each) => each.split(':')[0]).sort()).toEqual(['autor', 'limit', 'service']);
  });

  it('verifies the chain, and finds an episode that somebody changed', async () => {
    const sound = await ask<Verified>(`verify?service=${name}`);
    expect(sound.document).toMatchObject({ faults: [], cursor: null });
    const { number, body } = (await stage.ports.store.trail(name, 1, 9)).find(
      (each) => each.kind === 'episode',
    ) ?? { number: 0, body: '' };
    const { endpoint, region, stack } = stage.sandbox;
    const table = new DynamoDBClient({
      endpoint,
      region,
      credentials: { accessKeyId: 'AKIAMALLORY', secretAccessKey: 'sandbox' },
    });
    await table.send(
      new UpdateItemCommand({
        TableName: String(stack.outputs['StateTable']),
        Key: { pk: { S: `SERVICE#${name}` }, sk: { S: `TRAIL#${String(number).padStart(12, '0')}` } },
        UpdateExpression: 'SET body = :body',
        ExpressionAttributeValues: { ':body': { S: body.replace('COMPLETED', 'COMPLETEE') } },
      }),
    );
    table.destroy();
    const { document } = await ask<Verified>(`verify?service=${name}`);
    expect(document.faults).toContainEqual({ number, why: 'its text does not match its hash' });
  });
});
