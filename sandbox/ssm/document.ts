// An SSM document of the sandbox: a name, the parameters it declares, and the function that stands for what it does in the guest.

import * as v from 'valibot';

export interface DocumentCall {
  commandId: string;
  instanceId: string;
  parameters: Record<string, string[]>;
}

export interface DocumentResult {
  status: 'Success' | 'Failed';
  /** Standard output, of which SSM shows the beginning. */
  output: string;
  /** Standard error. */
  error?: string | undefined;
  /** 0 for success and 1 for failure unless given. */
  responseCode?: number | undefined;
  /** How long it took in the guest, by the sandbox's clock, beyond the time that the function itself needs. */
  tookMs?: number | undefined;
}

export interface SsmDocument {
  name: string;
  /** Those it declares; any other is `InvalidParameters`. None unless given. */
  parameters?: readonly string[];
  /** How long it may run, unless its parameter `executionTimeout` says otherwise; SSM's default is an hour. */
  executionTimeoutSec?: number;
  /** The signal ends what the guest no longer does: the instance stopped, the time is up, the command was cancelled. */
  run(call: DocumentCall, signal: AbortSignal): DocumentResult | Promise<DocumentResult>;
}

export const DocumentName = v.pipe(v.string(), v.regex(/^[a-zA-Z0-9_\-.]{3,128}$/));

/** A process of this machine and no other: the sandbox calls nobody else. */
export const LoopbackUrl = v.pipe(
  v.string(),
  v.check((text) => {
    if (!URL.canParse(text)) return false;
    const { protocol, hostname } = new URL(text);
    return protocol === 'http:' && (hostname === '127.0.0.1' || hostname === 'localhost');
  }, 'is an http URL on 127.0.0.1 or localhost'),
);

const Result = v.object({
  status: v.picklist(['Success', 'Failed']),
  output: v.optional(v.string(), ''),
  error: v.optional(v.string()),
  responseCode: v.optional(v.pipe(v.number(), v.integer())),
  tookMs: v.optional(v.pipe(v.number(), v.minValue(0))),
});

/** What the document does is asked of a server: the call as JSON in, the result as JSON out. */
export function askAt(url: string): SsmDocument['run'] {
  return async (call, signal) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(call),
      redirect: 'error',
      signal,
    });
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    return v.parse(Result, await response.json());
  };
}
