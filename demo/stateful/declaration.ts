/** What the service of the demo declares, as a person would write it: fence, promote, see it answer. */
import { probeDocument, promoteDocument } from './guest-documents.ts';
import type { Pair } from './pair.ts';

export function toDeclaration({ name, eniId, holder, standby }: Pair, fence: 'stop' | 'none') {
  return {
    name,
    description: 'A counter with its log on a shared disk (demo)',
    interfaces: [{ eni: eniId, deviceIndex: 1 }],
    members: [{ instance: holder.instanceId }, { instance: standby.instanceId }],
    hooks: {
      after: [
        {
          document: promoteDocument,
          on: 'target',
          parameters: { Token: ['@token@'], Epoch: ['@epoch@'] },
          deadline: '60s',
        },
      ],
    },
    serving: { check: { document: probeDocument, on: 'target' }, within: '1m' },
    policy: { fence, fenceTimeout: '1m' },
  };
}
