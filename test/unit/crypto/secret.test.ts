import { AssertionError, deepStrictEqual } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { Console } from 'node:console';
import { PassThrough } from 'node:stream';
import { format, inspect } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { expect } from 'chai';
import { Secret } from '../../../crypto/secret.js';
import { makeLog, messageOf } from '../../../protocol/log.js';
import { refuse } from '../../../protocol/result.js';
import { read } from '../house/sources.js';

const plain = 'correct horse battery staple';
const make = (): Secret => Secret.take(new TextEncoder().encode(plain));

/** Every form in which bytes are usually shown, whole or only their beginning. */
function traces(): readonly string[] {
  const bytes = Buffer.from(plain);
  const head = bytes.subarray(0, 6);
  return [
    plain.slice(0, 6),
    head.toString('hex'),
    head.toString('base64'),
    head.toString('hex').match(/../g)?.join(' ') ?? '',
    [...head].join(','),
    [...head].join(', '),
    [...head].map((byte, index) => `"${index}":${byte}`).join(','),
    [...head].map((byte, index) => `'${index}': ${byte}`).join(', '),
  ];
}

function expectNoTrace(shown: string): void {
  const line = shown.replace(/\s+/g, ' ');
  for (const trace of traces()) expect(line).to.not.include(trace);
}

function written(write: (console: Console) => void): string {
  const stream = new PassThrough();
  write(new Console({ stdout: stream, stderr: stream }));
  return String(stream.read() ?? '');
}

function cloned(value: unknown): unknown {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(value);
  const received = receiveMessageOnPort(port2) as { message: unknown };
  port1.close();
  return received.message;
}

function caught(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

// A type that forbids it is no protection at run time, so the ways below go around the types on purpose.
const loose = (secret: Secret): never => secret as never;

const ways: Readonly<Record<string, (secret: Secret) => unknown>> = {
  'String()': (it) => String(it),
  'a template': (it) => `${it.toString()} ${loose(it) as string}`,
  concatenation: (it) => '' + loose(it),
  'array.join': (it) => [it, [it]].join(),
  'toLocaleString()': (it) => Object.prototype.toLocaleString.call(it),
  'Object.prototype.toString': (it) => Object.prototype.toString.call(it),
  'JSON.stringify': (it) => JSON.stringify(it),
  'JSON.stringify of what holds it': (it) => JSON.stringify({ a: [it], b: new Map([[it, it]]) }),
  'JSON.stringify with a replacer': (it) =>
    JSON.stringify({ it }, (_key, value: unknown) =>
      value instanceof Secret ? Object.assign({}, value) : value,
    ),
  inspect: (it) => inspect(it),
  'inspect with everything on': (it) =>
    inspect(it, { showHidden: true, depth: null, getters: true, showProxy: true, customInspect: false }),
  'inspect of what holds it': (it) =>
    inspect({ a: { b: { c: [new Set([it])] } } }, { depth: null, showHidden: true }),
  'inspect of a proxy of it': (it) => inspect(new Proxy(it, {}), { showProxy: true, showHidden: true }),
  'format %s': (it) => format('%s', it),
  'format %d %i %f': (it) => format('%d %i %f', it, it, it),
  'format %j': (it) => format('%j', it),
  'format %o': (it) => format('%o', it),
  'format %O': (it) => format('%O', { it }),
  'format without a place': (it) => format('secret:', it),
  'console.log': (it) => written((console) => console.log(it, { it })),
  'console.dir': (it) => written((console) => console.dir(it, { showHidden: true, depth: null })),
  'console.table': (it) => written((console) => console.table([{ it }, it])),
  'console.error of an error': (it) => written((console) => console.error(new Error('x', { cause: it }))),
  'own keys, entries and descriptors': (it) =>
    format('%j', [
      Object.keys(it),
      Object.entries(it),
      Reflect.ownKeys(it),
      Object.getOwnPropertyDescriptors(it),
    ]),
  'spread and assign': (it) => format('%j', { ...(it as object) }),
  'for in': (it) => {
    const seen: string[] = [];
    // eslint-disable-next-line guard-for-in
    for (const key in it) seen.push(key, String((it as unknown as Record<string, unknown>)[key]));
    return seen.join();
  },
  'its prototype, without methods called': (it) =>
    inspect(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(it)), { depth: null }),
  structuredClone: (it) => inspect(structuredClone({ it }), { showHidden: true, depth: null }),
  postMessage: (it) => inspect(cloned({ it }), { showHidden: true, depth: null }),
  'v8.serialize': (it) => serialize({ it }).toString('latin1') + inspect(deserialize(serialize({ it }))),
  'Buffer.from': (it) => caught(() => Buffer.from(loose(it)).toString('latin1')),
  'Uint8Array.from': (it) => Buffer.from(Uint8Array.from(loose(it))).toString('latin1'),
  iteration: (it) => inspect(caught(() => [...(loose(it) as Iterable<unknown>)])),
  'URL parameters': (it) => new URLSearchParams({ it: loose(it) }).toString() + encodeURIComponent(loose(it)),
  'a key of an object': (it) => Object.keys({ [loose(it) as string]: 1 }).join(),
  'an error message': (it) => new Error(loose(it)).stack,
  'an error cause': (it) => inspect(new Error('x', { cause: it }), { depth: null, showHidden: true }),
  'a property of an error': (it) => inspect(Object.assign(new Error('x'), { it }), { depth: null }),
  'an aggregate error': (it) => inspect(new AggregateError([it], 'x'), { depth: null }),
  'a failed assertion': (it) => {
    const error = caught(() => deepStrictEqual({ it }, { it: 1 }));
    return error instanceof AssertionError ? error.message + inspect(error) : '';
  },
  'a failed expectation': (it) => inspect(caught(() => expect(it).to.equal('x'))),
  'a failed deep expectation': (it) => inspect(caught(() => expect({ a: [it] }).to.deep.equal({ a: 1 }))),
  'a log line': (it) => {
    const lines: string[] = [];
    const log = makeLog((line) => lines.push(line), { level: 'debug', now: () => new Date(0) });
    log.with({ always: loose(it) }).error(loose(it), { it: loose(it) });
    return lines.join();
  },
  'the message of something thrown': (it) => messageOf(it) + messageOf({ it }),
  'a refusal': (it) => JSON.stringify(refuse('bad-input', loose(it), { where: loose(it), data: { it } })),
  'use after it was wiped': (it) => {
    it.wipe();
    return inspect(
      caught(() => it.use((bytes) => bytes)),
      { showHidden: true, depth: null },
    );
  },
};

describe('Secret', () => {
  for (const [way, show] of Object.entries(ways)) {
    it(`shows nothing through ${way}`, () => {
      const shown = show(make());
      expectNoTrace(typeof shown === 'string' ? shown : inspect(shown, { depth: null, showHidden: true }));
    });
  }

  it('is found by the search for traces when it is there', () => {
    const bytes = Buffer.from(plain);
    for (const shown of [
      plain,
      bytes.toString('hex'),
      bytes.toString('base64'),
      inspect(bytes),
      inspect(Object.assign({}, bytes)),
    ])
      expect(() => expectNoTrace(shown)).to.throw();
  });

  it('shows nothing when a process dies of an error that holds it', () => {
    const secret = new URL('../../../crypto/secret.js', import.meta.url).href;
    for (const thrown of ["new Error('x', { cause: it })", 'it', "Object.assign(new Error('x'), { it })"]) {
      const script = `import { Secret } from ${JSON.stringify(secret)};
        const it = Secret.take(Buffer.from(process.env.PLAIN)); throw ${thrown};`;
      const { stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
        env: { ...process.env, PLAIN: plain },
        encoding: 'utf8',
      });
      expect(status).to.not.equal(0);
      expectNoTrace(stderr);
    }
  });

  it('gives its bytes only through use', () => {
    expect(make().use((bytes) => Buffer.from(bytes).toString())).to.equal(plain);
    expect(read('crypto/secret.ts').match(/#bytes/g)).to.have.length.lessThan(7);
  });

  it('compares by content, and tells lengths apart', () => {
    expect(make().equals(make())).to.equal(true);
    expect(make().equals(Secret.take(new Uint8Array(plain.length)))).to.equal(false);
    expect(make().equals(Secret.take(new Uint8Array(3)))).to.equal(false);
  });

  it('is zeros after it was wiped, and cannot be used', () => {
    const bytes = new TextEncoder().encode(plain);
    const secret = Secret.take(bytes);
    secret.wipe();
    expect([...bytes].every((byte) => byte === 0)).to.equal(true);
    expect(() => secret.use(() => 1)).to.throw('wiped');
    expect(() => secret.equals(make())).to.throw('wiped');
    secret.wipe();
  });
});
