/** Proves that the bundles leave out what nobody calls and still speak to EC2. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Metafile } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type BundleSize,
  buildAll,
  checkPruning,
  findTargets,
  markTablesPure,
  type Target,
} from '../build.ts';

// Below the repository, so that the entry resolves its packages as the functions do.
const parent = path.join(import.meta.dirname, '..', 'node_modules', '.cache');
let folder = '';
let size: BundleSize;
let bundled: Target;

const ENTRY = `
  import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
  export async function handler(endpoint: string) {
    const client = new EC2Client({
      endpoint, region: 'us-east-1', maxAttempts: 1,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    const answer = await client.send(new DescribeInstancesCommand({
      Filters: [{ Name: 'instance-id', Values: ['i-0a1b2c3d4e5f60001', 'i-0a1b2c3d4e5f60002'] }],
      MaxResults: 1000,
    }));
    return { reservations: answer.Reservations, next: answer.NextToken };
  }
`;

beforeAll(async () => {
  await mkdir(parent, { recursive: true });
  folder = await mkdtemp(path.join(parent, 'build-test-'));
  const entry = path.join(folder, 'entry.ts');
  await writeFile(entry, ENTRY);
  bundled = { name: 'sample', entry, file: 'handler' };
  [size = { name: '', entryBytes: 0, totalBytes: 0, schemaBytes: 0 }] = await buildAll(
    [bundled],
    path.join(folder, 'dist'),
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a bundle with the EC2 client', () => {
  const built = (name: string) => path.join(folder, 'dist', 'sample', name);

  it('leaves out the schema tables of operations that it does not call', async () => {
    expect(size.schemaBytes).toBeGreaterThan(1_000);
    expect(size.schemaBytes).toBeLessThan(60_000);
    expect(size.entryBytes).toBeLessThan(250_000);
    const files = await readdir(built('.'), { recursive: true });
    const texts = files.filter((file) => file.endsWith('.mjs')).map((file) => readFile(built(file), 'utf8'));
    const code = (await Promise.all(texts)).join('\n');
    expect(Buffer.byteLength(code) - (texts.length - 1)).toBe(size.totalBytes);
    expect(code).toContain('DescribeInstances');
    expect(code).not.toContain('CreateTransitGatewayMulticastDomain');
  });
  it('keeps the credential providers in chunks of their own, and its source map beside it', async () => {
    expect((await readdir(built('chunks'))).length).toBeGreaterThan(0);
    expect(size.totalBytes).toBeGreaterThan(size.entryBytes);
    expect(existsSync(built('handler.mjs.map'))).toBe(true);
  });
  it('still writes a DescribeInstances and reads the answer', async () => {
    let received = '';
    const server = createServer((request, response) => {
      request.on('data', (chunk: Buffer) => {
        received += chunk.toString();
      });
      request.on('end', () => {
        response.setHeader('content-type', 'text/xml');
        response.end(`<?xml version="1.0"?><DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
          <reservationSet><item><reservationId>r-1</reservationId><instancesSet><item>
            <instanceId>i-0a1b2c3d4e5f60001</instanceId>
            <instanceState><code>16</code><name>running</name></instanceState>
            <networkInterfaceSet><item>
              <networkInterfaceId>eni-0a1b2c3d4e5f60001</networkInterfaceId>
              <attachment><deviceIndex>1</deviceIndex><deleteOnTermination>false</deleteOnTermination>
                <attachTime>2026-11-20T02:00:00.000Z</attachTime></attachment>
            </item></networkInterfaceSet>
          </item></instancesSet></item></reservationSet>
          <nextToken>more</nextToken></DescribeInstancesResponse>`);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('the server has no port');
      const bundleModule = await import(pathToFileURL(built('handler.mjs')).href);
      expect(await bundleModule.handler(`http://127.0.0.1:${address.port}`)).toMatchObject({
        next: 'more',
        reservations: [
          {
            ReservationId: 'r-1',
            Instances: [
              {
                InstanceId: 'i-0a1b2c3d4e5f60001',
                State: { Code: 16, Name: 'running' },
                NetworkInterfaces: [
                  {
                    NetworkInterfaceId: 'eni-0a1b2c3d4e5f60001',
                    Attachment: {
                      DeviceIndex: 1,
                      DeleteOnTermination: false,
                      AttachTime: new Date('2026-11-20T02:00:00.000Z'),
                    },
                  },
                ],
              },
            ],
          },
        ],
      });
      expect(Object.fromEntries(new URLSearchParams(received))).toMatchObject({
        Action: 'DescribeInstances',
        'Filter.1.Name': 'instance-id',
        'Filter.1.Value.1': 'i-0a1b2c3d4e5f60001',
        'Filter.1.Value.2': 'i-0a1b2c3d4e5f60002',
        MaxResults: '1000',
      });
    } finally {
      server.close();
    }
  });
});

describe('the bundle of functions/failover', () => {
  const root = path.join(import.meta.dirname, '..');
  let built: BundleSize | undefined;
  /** What an import of the handler loads at once, and what waits on the disk. */
  let [atOnce, whenNeeded] = ['', ''];

  beforeAll(async () => {
    const target = findTargets(root).filter((each) => each.name === 'failover');
    [built] = await buildAll(target, path.join(folder, 'functions'));
    const texts = new Map<string, string>();
    const files = await readdir(path.join(folder, 'functions', 'failover'), { recursive: true });
    for (const file of files.filter((each) => each.endsWith('.mjs')))
      texts.set(
        path.basename(file),
        await readFile(path.join(folder, 'functions', 'failover', file), 'utf8'),
      );
    const loaded = new Set(['handler.mjs']);
    for (const file of loaded)
      for (const [, imported = ''] of (texts.get(file) ?? '').matchAll(/(?:from|import)"\.[^"]*\/([^"/]+)"/g))
        loaded.add(imported);
    const code = (isLoaded: boolean) =>
      [...texts].flatMap(([file, text]) => (loaded.has(file) === isLoaded ? [text] : [])).join('\n');
    [atOnce, whenNeeded] = [code(true), code(false)];
  });

  it('loads at once no more than an outage needs', () => {
    expect(Buffer.byteLength(atOnce)).toBeGreaterThan(400_000);
    expect(built?.entryBytes).toBeLessThan(560_000);
  });
  it('keeps rehearsals for those who ask for one', () => {
    expect(whenNeeded).toContain('nothing could be rehearsed');
    expect(atOnce).not.toContain('nothing could be rehearsed');
  });
  it.each(['AmazonSSM', 'SendCommand', 'GetCommandInvocation', 'AWSGirApiService'])(
    'keeps %s for the first hook: it is in a chunk of its own',
    (word) => {
      expect(whenNeeded).toContain(word);
      expect(atOnce).not.toContain(word);
    },
  );
  it.each(['CreateMaintenanceWindow', 'PutParameter', 'UpdateFunctionCode'])(
    'leaves out what no hook calls: %s',
    (word) => {
      expect(whenNeeded + atOnce).not.toContain(word);
    },
  );
});

describe('a build', () => {
  const trivial = async (name: string, code: string): Promise<Target> => {
    const entry = path.join(folder, `${name}.ts`);
    await writeFile(entry, code);
    return { name, entry, file: 'handler' };
  };
  it('removes what no target writes any more and leaves nothing of its own behind', async () => {
    const out = path.join(folder, 'swap');
    await buildAll([await trivial('first', 'export const handler = 1;')], out);
    // No process has this id: the rest of a build that was killed.
    await mkdir(path.join(out, '.building-2147483646'));
    await buildAll([await trivial('second', 'export const handler = 2;')], out);
    expect(await readdir(out)).toEqual(['second']);
  });
  it('that fails leaves the last good one as it was', async () => {
    const out = path.join(folder, 'kept');
    await buildAll([await trivial('kept', 'export const handler = "good";')], out);
    const broken = { ...(await trivial('broken', 'import "no-such-package";')), name: 'kept' };
    await expect(buildAll([broken], out)).rejects.toThrow();
    expect(await readdir(out)).toEqual(['kept']);
    expect(await readFile(path.join(out, 'kept', 'handler.mjs'), 'utf8')).toContain('good');
  });
  it('covers every function that has a handler, the CLI, and what the demo compares the product with', async () => {
    const root = path.join(folder, 'repository');
    for (const file of [
      'functions/b/handler.ts',
      'functions/a/handler.ts',
      'functions/c/other.ts',
      'cli/main.ts',
      'demo/stateful/forty-lines.ts',
    ]) {
      await mkdir(path.dirname(path.join(root, file)), { recursive: true });
      await writeFile(path.join(root, file), '');
    }
    expect(findTargets(root).map(({ name, file }) => `${name}/${file}`)).toEqual([
      'a/handler',
      'b/handler',
      'cli/main',
      'forty-lines/handler',
    ]);
  });
});

describe('marking the schema tables', () => {
  it('wraps tables on one line and on many, and leaves the rest alone', () => {
    const source = [
      'const _A = "Address";',
      'var Secret = [0, n0, _S, 8, 0];',
      'var Plain = 64 | 0;',
      'export var Request$ = [3, n0, _R,',
      '    0,',
      '    [_A], [[1, { [_x]: _A }]]',
      '];',
      '_s_registry.registerError(E$, E);',
    ].join('\n');
    const marked = markTablesPure(source, 'schemas_0.js');
    expect(marked).toContain('var Secret = /* @__PURE__ */ (() => [0, n0, _S, 8, 0])();');
    expect(marked).toContain('export var Request$ = /* @__PURE__ */ (() => [3, n0, _R,');
    expect(marked.match(/@__PURE__/g)).toHaveLength(2);
    expect(marked).toContain('var Plain = 64 | 0;');
  });
  it.each([
    ['none', 'export const Request$ = makeTable(3);'],
    ['one that ends differently', 'var A = [1];\nexport var B$ = [2,\n  3\n].concat(A);\n'],
  ])('fails loudly on a file with %s', (_, source) => {
    expect(() => markTablesPure(source, 'schemas_0.js')).toThrow(
      /schemas_0\.js: marked \d of \d schema tables.*adapt build\.ts/,
    );
  });
});

describe('a client that got past the pruning', () => {
  const metafile = (file: string, bytesInOutput: number): Metafile => ({
    inputs: { [file]: { bytes: 1_000_000, imports: [] } },
    outputs: {
      'handler.mjs': {
        bytes: bytesInOutput,
        inputs: { [file]: { bytesInOutput } },
        imports: [],
        exports: [],
      },
    },
  });
  const tables = 'node_modules/@aws-sdk/client-ec2/dist-es/schemas/schemas_0.js';

  it('fails the build when its tables are still in the bundle', () => {
    expect(() => checkPruning('failover', metafile(tables, 420_000))).toThrow(
      'failover: 420000 of 1000000 bytes of the schema tables of client-ec2 are still in the bundle.',
    );
    expect(() => checkPruning('failover', metafile(tables, 27_000))).not.toThrow();
  });
  it('fails the build when its tables are nowhere to be found', () => {
    const elsewhere = 'node_modules/@aws-sdk/client-ec2/dist-cjs/index.js';
    expect(() => checkPruning('failover', metafile(elsewhere, 420_000))).toThrow(
      'failover: no schema tables found in client-ec2.',
    );
  });
});
