/** Powertools idempotency in front of the controller: it dedupes deliveries and is not the lock (P36). */
import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import type { Context } from 'aws-lambda';
import type { Log } from '../app/ports.ts';
import type { Clients } from '../aws/clients.ts';
import { InvalidInputError, messageOf } from '../core/errors.ts';

/** Runs `work` unless a delivery with this key was completed within the hour; then answers as it did. */
export type Dedupe = <T>(key: string, context: Context, work: () => Promise<T>) => Promise<T>;

const oneHourSec = 60 * 60;

export function makeDedupe(client: Clients['dynamodb'], table: string, log: Log): Dedupe {
  const persistenceStore = new DynamoDBPersistenceLayer({ tableName: table, awsSdkV3Client: client });
  const config = new IdempotencyConfig({
    eventKeyJmesPath: 'key',
    // A key that resolves to nothing would silently switch all this off.
    throwOnNoIdempotencyKey: true,
    expiresAfterSeconds: oneHourSec,
  });

  return async <T>(key: string, context: Context, work: () => Promise<T>): Promise<T> => {
    if (!key) throw new InvalidInputError('the delivery cannot be deduped', ['key: is empty']);
    let begun: Promise<T> | undefined;
    let failure: unknown;
    config.registerLambdaContext(context);
    const once = makeIdempotent(
      (_: { readonly key: string }) => {
        begun = work();
        begun.catch((error: unknown) => {
          failure = error;
        });
        return begun as Promise<never>;
      },
      { persistenceStore, config },
    );
    try {
      return await once({ key });
    } catch (error) {
      if (error === failure) throw error;
      // In progress elsewhere, or the record cannot be read or written: neither stops the work (P36). Powertools throws the same error when it could not save the end as when it could not save the start:
      // work that has begun is not done twice, it is only not remembered.
      log.warn('the delivery could not be deduped', {
        key,
        begun: begun !== undefined,
        error: messageOf(error),
      });
      return begun ?? work();
    }
  };
}
