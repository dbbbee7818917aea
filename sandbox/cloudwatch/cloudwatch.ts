// CloudWatch on the sandbox's port: alarms and the data they look at, in AWS JSON for current clients and Query for older ones.

import type {
  DeleteAlarmsInput,
  DescribeAlarmsInput,
  DisableAlarmActionsInput,
  PutCompositeAlarmInput,
  PutMetricAlarmInput,
  PutMetricDataInput,
  SetAlarmStateInput,
} from '@aws-sdk/client-cloudwatch';
import type { AwsService } from '../aws-request.ts';
import { CloudWatchError } from './alarm-input.ts';
import type { Alarms } from './alarms.ts';
import {
  type CloudWatchOperation,
  isCloudWatchOperation,
  readInput,
  writeError,
  writeOutput,
} from './wire.ts';

export function makeCloudWatch(alarms: Alarms): AwsService {
  return async (request) => {
    const { operation } = request;
    if (!isCloudWatchOperation(operation)) {
      return writeError(
        'UnknownOperationException',
        `The sandbox does not know CloudWatch's '${operation}'`,
        404,
        request,
      );
    }
    try {
      return writeOutput(operation, execute(alarms, operation, await readInput(operation, request)), request);
    } catch (error) {
      if (error instanceof CloudWatchError)
        return writeError(error.code, error.message, error.status, request);
      throw error;
    }
  };
}

/** The wire gave the input the shape of the operation's own schema. */
function execute(alarms: Alarms, operation: CloudWatchOperation, input: unknown): unknown {
  switch (operation) {
    case 'PutMetricAlarm':
      return alarms.putMetricAlarm(input as PutMetricAlarmInput);
    case 'PutCompositeAlarm':
      return alarms.putCompositeAlarm(input as PutCompositeAlarmInput);
    case 'PutMetricData':
      return alarms.putMetricData(input as PutMetricDataInput);
    case 'DescribeAlarms':
      return alarms.describeAlarms(input as DescribeAlarmsInput);
    case 'SetAlarmState':
      return alarms.setAlarmState(input as SetAlarmStateInput);
    case 'DeleteAlarms':
      return alarms.deleteAlarms((input as DeleteAlarmsInput).AlarmNames ?? []);
    case 'EnableAlarmActions':
      return alarms.setActionsEnabled((input as DisableAlarmActionsInput).AlarmNames ?? [], true);
    case 'DisableAlarmActions':
      return alarms.setActionsEnabled((input as DisableAlarmActionsInput).AlarmNames ?? [], false);
  }
}
