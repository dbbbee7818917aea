// Checks what a caller asks of SendCommand, and refuses what the sandbox cannot do rather than ignore it.

import type { SendCommandRequest } from '@aws-sdk/client-ssm';
import type { Ec2Model } from '../ec2/model.ts';
import type { SsmDocument } from './document.ts';

export class SsmError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const KNOWN: readonly (keyof SendCommandRequest)[] = [
  'DocumentName',
  'InstanceIds',
  'DocumentVersion',
  'TimeoutSeconds',
  'Comment',
  'Parameters',
];
const MAX_INSTANCES = 50;
const TIMEOUT_SEC = { least: 30, most: 2_592_000 };
const DEFAULT_EXECUTION_TIMEOUT_SEC = 3600;

/** The document, once everything about the call is in order. */
export function requireSendable(
  input: SendCommandRequest,
  documents: ReadonlyMap<string, SsmDocument>,
  ec2: Pick<Ec2Model, 'guest'>,
  accountId: string,
): SsmDocument {
  const unknown = Object.entries(input).find(
    ([name, value]) => value !== undefined && !KNOWN.includes(name as keyof SendCommandRequest),
  );
  if (unknown !== undefined) throw invalid(`The sandbox does not know ${unknown[0]} of SendCommand`);
  const { TimeoutSeconds: timeoutSec, InstanceIds: instanceIds = [] } = input;
  if (timeoutSec !== undefined && (timeoutSec < TIMEOUT_SEC.least || timeoutSec > TIMEOUT_SEC.most)) {
    throw invalid(`TimeoutSeconds: ${timeoutSec} is not from ${TIMEOUT_SEC.least} to ${TIMEOUT_SEC.most}`);
  }
  if (instanceIds.length === 0 || instanceIds.length > MAX_INSTANCES) {
    throw invalid(`InstanceIds: from 1 to ${MAX_INSTANCES} instances`);
  }
  const document = documents.get(input.DocumentName ?? '');
  if (document === undefined) {
    throw new SsmError('InvalidDocument', `Document with name ${input.DocumentName} does not exist.`);
  }
  if (!['$DEFAULT', '$LATEST', '1', undefined].includes(input.DocumentVersion)) {
    throw new SsmError('InvalidDocumentVersion', `${document.name} has no version ${input.DocumentVersion}`);
  }
  if (new Set(instanceIds).size < instanceIds.length) throw new SsmError('DuplicateInstanceId', '');
  requireParameters(document, input.Parameters ?? {});
  const absent = instanceIds.filter((id) => !isManaged(ec2, id));
  if (absent.length > 0) {
    throw new SsmError(
      'InvalidInstanceId',
      `Instances [[${absent.join(', ')}]] not in a valid state for account ${accountId}`,
    );
  }
  return document;
}

export function executionTimeoutSecOf(document: SsmDocument, input: SendCommandRequest): number {
  const asked = Number(input.Parameters?.['executionTimeout']?.[0]);
  return asked > 0 ? asked : (document.executionTimeoutSec ?? DEFAULT_EXECUTION_TIMEOUT_SEC);
}

const invalid = (message: string) => new SsmError('ValidationException', message);

function requireParameters(
  { name, parameters: declared = [] }: SsmDocument,
  given: Record<string, string[]>,
) {
  const unknown = Object.keys(given).filter((parameter) => !declared.includes(parameter));
  if (unknown.length > 0) {
    throw new SsmError(
      'InvalidParameters',
      `Parameters [${unknown.join(', ')}] are not declared by document ${name}: ${declared.join(', ') || 'it declares none'}.`,
    );
  }
}

/**
 * An agent that does not answer is no reason to refuse: the command waits for it. SSM's reference counts a stopped
 * instance among the valid ones; what people see is `InvalidInstanceId`, for its agent is not connected.
 */
function isManaged(ec2: Pick<Ec2Model, 'guest'>, instanceId: string): boolean {
  const state = ec2.guest(instanceId)?.state;
  return state === 'pending' || state === 'running' || state === 'stopping';
}
