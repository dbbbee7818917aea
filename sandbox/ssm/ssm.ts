// Systems Manager on the sandbox's port: Run Command, as far as one command on one instance goes.

import type {
  CancelCommandRequest,
  GetCommandInvocationRequest,
  SendCommandRequest,
} from '@aws-sdk/client-ssm';
import type { AwsService } from '../aws-request.ts';
import type { RunCommand } from './run-command.ts';
import { SsmError } from './send-command-input.ts';
import { isSsmOperation, readInput, type SsmOperation, writeError, writeOutput } from './wire.ts';

export function makeSsm(runCommand: RunCommand): AwsService {
  return async (request) => {
    const { operation, accessKeyId } = request;
    if (!isSsmOperation(operation)) {
      return writeError('UnknownOperationException', `The sandbox does not know SSM's '${operation}'`);
    }
    try {
      const input = await readInput(operation, request);
      return writeOutput(operation, execute(runCommand, operation, input, accessKeyId));
    } catch (error) {
      if (error instanceof SsmError) return writeError(error.code, error.message);
      throw error;
    }
  };
}

/** The wire gave the input the shape of the operation's own schema. */
function execute(runCommand: RunCommand, operation: SsmOperation, input: unknown, caller: string): object {
  switch (operation) {
    case 'SendCommand':
      return runCommand.sendCommand(input as SendCommandRequest, caller);
    case 'GetCommandInvocation':
      return runCommand.getCommandInvocation(input as GetCommandInvocationRequest);
    case 'CancelCommand':
      return runCommand.cancelCommand(input as CancelCommandRequest);
  }
}
