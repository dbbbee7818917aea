/** Answers as functions/audit does, as far as a test of the command line needs it: from the rows of the fake store. */
import type { AuditClient } from '../../cli/audit-client.ts';
import type { CommandContext } from '../../cli/program.ts';
import type { ServiceName } from '../../shared/core/ids.ts';
import { verifyChain } from '../../shared/core/trail.ts';
import type { FakeStore } from '../fakes/fake-store.ts';
import { sha256 } from '../fakes/invariants.ts';
import type { World } from '../fakes/world.ts';
import { connectionTo, contextOf } from './screen.ts';

export interface FakeAudit extends AuditClient {
  readonly asked: string[];
}

export function makeFakeAudit(store: FakeStore): FakeAudit {
  const asked: string[] = [];
  const rows = (service: string) => store.rows(service as ServiceName);
  const recordsOf = (service: string) =>
    rows(service).map(({ body, hash, kind }) => {
      const record = JSON.parse(body) as Record<string, unknown>;
      return {
        outcome:
          record['code'] ?? record['outcome'] ?? (kind === 'change' ? 'REGISTERED' : kind.toUpperCase()),
        instances: [],
        interfaces: [],
        ...record,
        hash,
      };
    });
  return {
    asked,
    async get(path, parameters = {}) {
      asked.push(
        `${path}?${new URLSearchParams(Object.entries(parameters).flatMap(([k, v]) => (v === undefined ? [] : [[k, String(v)] as [string, string]])))}`,
      );
      const service = String(parameters['service'] ?? 'orders-db');
      if (path === 'v1/records') {
        const { kind, outcome, limit = 50, cursor = 0, author } = parameters;
        const fitting = recordsOf(service)
          .toReversed()
          .filter((each) => kind === undefined || each['kind' as never] === kind)
          .filter((each) => author === undefined || each['author' as never] === author)
          .filter((each) => outcome === undefined || each.outcome === outcome);
        const end = Number(cursor) + Number(limit);
        const records = fitting.slice(Number(cursor), end);
        return {
          status: 200,
          body: {
            records,
            read: records.length,
            missing: [],
            cursor: end < fitting.length ? String(end) : null,
          },
        };
      }
      if (path.startsWith('v1/episodes/')) {
        const id = path.slice('v1/episodes/'.length);
        const record = recordsOf(id.replace(/\.\d+$/, '')).find(
          (each) => (each['episode' as never] as { id?: string } | undefined)?.id === id,
        );
        return record
          ? { status: 200, body: { record } }
          : { status: 404, body: { code: 'NO_SUCH_EPISODE', detail: `no episode ${id} has ended` } };
      }
      const all = rows(service);
      return {
        status: 200,
        body: {
          service,
          records: all.length,
          head: all.at(-1)?.hash ?? '',
          faults: verifyChain(all, sha256),
          cursor: null,
        },
      };
    },
  };
}

export const trailContext = (world: World, more: Partial<CommandContext> = {}): CommandContext =>
  contextOf(world, {
    connect: async () => ({ ...connectionTo(world), audit: makeFakeAudit(world.store) }),
    ...more,
  });
