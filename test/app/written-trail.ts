/** Trails for tests of what is asked of them: chains of records as the engine freezes them, put where it puts them. */
import { createHash } from 'node:crypto';
import {
  type AttributeValue,
  BatchWriteItemCommand,
  type DynamoDBClient,
  type PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { makeStateTable } from '../../shared/aws/state-table.ts';
import type { Episode } from '../../shared/core/episode.ts';
import type { AttachmentId, EniId, InstanceId, ServiceName } from '../../shared/core/ids.ts';
import type { Frozen, ServiceState } from '../../shared/core/state.ts';
import { freeze, type RecordDraft } from '../../shared/core/trail.ts';
import { makeRetrying } from '../aws/retrying.ts';

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** A service's item to which nothing has happened. */
export const emptyItem = (name: string): ServiceState => ({
  name: name as ServiceName,
  rev: 1,
  epoch: 0,
  nonce: 'n',
  declared: '{}',
  facts: { availabilityZone: 'us-east-1a', limits: {} },
  registeredBy: 'ann',
  outbox: [],
  detached: [],
  mayDetach: [],
  quarantine: {},
  failoversAtMs: [],
  trail: { next: 1, head: '' },
});

/** What is frozen, in order, and the item as it is behind the last one. */
export interface WrittenTrail {
  readonly item: ServiceState;
  readonly records: readonly Frozen[];
}

/** The drafts, each hung on the one before. */
export function chained(name: string, drafts: readonly RecordDraft[], from = emptyItem(name)): WrittenTrail {
  let item = from;
  const records: Frozen[] = [];
  for (const draft of drafts) {
    const frozen = freeze(item, draft, sha256);
    records.push(frozen);
    item = { ...item, trail: { next: frozen.number + 1, head: frozen.hash } };
  }
  return { item, records };
}

export interface Moved {
  readonly service: string;
  readonly epoch: number;
  readonly atMs: number;
  readonly from: string;
  readonly to: string;
  readonly eni: string;
  readonly author?: string;
  readonly outcome?: string;
}

/** A failover that took six seconds, or a switchover where somebody asked for it. */
export function episodeDraft(moved: Moved): RecordDraft {
  const { service, epoch, atMs, from, to, eni, author = 'eni-failover', outcome = 'COMPLETED' } = moved;
  const isAsked = author !== 'eni-failover';
  const steps = ['claimed', 'detach', 'available', 'attach', 'attached', 'verified', 'closed'];
  const episode: Episode = {
    id: `${service}.${epoch}`,
    kind: isAsked ? 'switchover' : 'failover',
    state: 'VERIFYING',
    evidence: isAsked ? `requested by ${author}` : `${from}: instance status check impaired`,
    openedAtMs: atMs - 6_000,
    committed: true,
    plan: {
      source: from as InstanceId,
      target: to as InstanceId,
      tried: [to as InstanceId],
      detach: 'plain-then-force',
      plainDetachMs: 5_000,
      interfaces: [
        {
          eni: eni as EniId,
          deviceIndex: 1,
          networkCardIndex: 0,
          ours: [`eni-attach-${String(epoch).padStart(17, '0')}` as AttachmentId],
        },
      ],
    },
    steps: steps.map((step, index) => ({ atMs: atMs - 6_000 + index * 1_000, step, eni })),
    ...(isAsked && { request: { id: `r${epoch}`, author, reason: 'patching' } }),
  };
  return {
    kind: 'episode',
    atMs,
    author,
    outcome,
    episode: episode.id,
    instances: [from, to],
    enis: [eni],
    facts: {
      why: episode.evidence,
      epoch,
      closedAt: new Date(atMs).toISOString(),
      episode,
      quarantined: isAsked ? [] : [{ member: from, why: `failed in ${episode.id}: ${episode.evidence}` }],
      attachedTo: { [eni]: to },
    },
  };
}

/** Any other record. */
export const otherDraft = (
  kind: RecordDraft['kind'],
  atMs: number,
  outcome: string,
  facts: RecordDraft['facts'] = {},
  more: Partial<RecordDraft> = {},
): RecordDraft => ({
  kind,
  atMs,
  author: 'eni-failover',
  outcome,
  facts,
  instances: [],
  enis: [],
  ...more,
});

type Item = Record<string, AttributeValue>;

/** The very items that the adapter would put for these records, and the service's own. */
async function itemsOf({ item, records }: WrittenTrail): Promise<readonly Item[]> {
  const items: Item[] = [];
  const keeping = {
    send: async (command: PutItemCommand) => {
      items.push(command.input.Item ?? {});
      return {};
    },
  } as unknown as Pick<DynamoDBClient, 'send'>;
  const store = makeStateTable(keeping, 'kept', makeRetrying());
  await store.create(item);
  for (const record of records) await store.copyToTrail(item.name, record);
  return items;
}

const batchSize = 25;

/** Puts whole trails into a table, many items in one call. */
export async function writeTrails(
  client: Pick<DynamoDBClient, 'send'>,
  table: string,
  trails: readonly WrittenTrail[],
): Promise<number> {
  const items = (await Promise.all(trails.map(itemsOf))).flat();
  const batches = Array.from({ length: Math.ceil(items.length / batchSize) }, (_, index) =>
    items.slice(index * batchSize, (index + 1) * batchSize),
  );
  for (let first = 0; first < batches.length; first += 8) {
    await Promise.all(
      batches.slice(first, first + 8).map((batch) =>
        client.send(
          new BatchWriteItemCommand({
            RequestItems: {
              [table]: batch.map((item) => ({ PutRequest: { Item: item } })),
            },
          }),
        ),
      ),
    );
  }
  return items.length;
}
