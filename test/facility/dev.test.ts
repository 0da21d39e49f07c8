import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { imageOf } from '../../console-app/images/build.js';
import { readDescription } from '../../console-app/images/description.js';
import { RealConsole } from '../fakes/console.js';
import { value } from '../fakes/results.js';
import { until } from '../fakes/until.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const cli = join(root, 'dist/console-app/cli/index.js');

interface Event {
  readonly event: string;
  readonly revision?: number;
  readonly port?: number;
  readonly text?: string;
  readonly refusal?: { readonly code: string };
}

/** `console-app dev`, as a developer has it in a terminal. */
class Developing {
  readonly events: Event[] = [];
  readonly over: Promise<number | null>;
  readonly #child: ChildProcess;
  said = '';

  constructor(dir: string, ...words: readonly string[]) {
    this.#child = spawn(process.execPath, [cli, '--dir', dir, 'dev', ...words, '--json'], { stdio: 'pipe' });
    if (this.#child.stdout)
      createInterface({ input: this.#child.stdout }).on('line', (line) =>
        this.events.push(JSON.parse(line) as Event),
      );
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.said += chunk.toString()));
    this.over = new Promise((resolve) => this.#child.once('close', resolve));
  }

  async sees(wanted: (event: Event) => boolean): Promise<Event> {
    let found: Event | undefined;
    await until(() => {
      if (this.#child.exitCode !== null) throw new Error(this.said);
      found = this.events.find(wanted);
      return found !== undefined;
    }, 90_000).catch((error: unknown) => {
      throw new Error(JSON.stringify(this.events.slice(-20)) + this.said, { cause: error });
    });
    return found ?? { event: 'none' };
  }

  async end(): Promise<number | null> {
    this.#child.kill('SIGINT');
    return this.over;
  }
}

async function fetched(url: string): Promise<string> {
  let text = '';
  await until(async () => {
    text = await fetch(url).then(
      (answer) => answer.text(),
      () => '',
    );
    return text !== '';
  }, 30_000);
  return text;
}

/** What a port answers to one line. */
async function answered(port: number, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(line));
    socket.once('data', (bytes) => {
      socket.destroy();
      resolve(bytes.toString());
    });
    socket.once('error', reject);
  });
}

describe('a developer at the own machine', function () {
  this.timeout(240_000);
  const app = new RealConsole('console-app');
  const folders: string[] = [];
  const folder = (): string => {
    const made = mkdtempSync(join(tmpdir(), 'bmonitor-dev-'));
    folders.push(made);
    return made;
  };

  before(async () => {
    app.init();
    await app.run();
  });
  after(async () => {
    await app.remove();
    for (const one of folders) rmSync(one, { recursive: true, force: true });
  });

  const languages = [
    {
      example: 'hello-node',
      file: 'server.mjs',
      greets: /^Hello from Node\.js v/,
      broken: 'this is no JavaScript',
      debugged: async (port: number) => (await fetch(`http://127.0.0.1:${port}/json/list`)).text(),
      shows: /server\.mjs/,
    },
    {
      example: 'hello-python',
      file: 'server.py',
      greets: /^Hello from Python 3/,
      broken: 'this is no Python',
      debugged: async (port: number) => answered(port, 'GREETING\n'),
      shows: /'Hello'/,
    },
  ];
  for (const { example, file, greets, broken, debugged, shows } of languages)
    it(`works on the example ${example}: runs it on a node of its own, anew at every save, with its log and its debugger`, async () => {
      const place = folder();
      cpSync(join(root, 'docs/examples', example), place, { recursive: true });
      const source = readFileSync(join(place, file), 'utf8');
      const developing = new Developing(app.dir, place, '--local', '--debug-port', '0');
      await developing.sees(({ event, revision }) => event === 'running' && revision === 1);
      const { nodes } = JSON.parse(app.must('nodes', 'list', '--json')) as { nodes: { name: string }[] };
      const [node] = nodes;
      const status = JSON.parse(app.must('nodes', 'status', node?.name ?? '')) as { addresses: string[] };
      const url = `http://${status.addresses.find((one) => one.includes('.'))}:8080/`;
      expect(await fetched(url)).to.match(greets);
      await developing.sees(({ event, text }) => event === 'log' && text === 'listening on 8080');
      const { port = 0 } = await developing.sees(({ event }) => event === 'debugger');
      expect(await debugged(port)).to.match(shows);

      writeFileSync(join(place, file), source.replaceAll('listening on', 'now listening on'));
      await developing.sees(({ event, revision }) => event === 'running' && revision === 2);
      await developing.sees(({ event, text }) => event === 'log' && text === 'now listening on 8080');
      expect(await fetched(url)).to.match(greets);

      writeFileSync(join(place, file), broken);
      const failed = await developing.sees(({ event }) => event === 'failed');
      expect(failed.refusal?.code).to.equal('engine-not-well');
      writeFileSync(join(place, file), source);
      await developing.sees(({ event, revision }) => event === 'running' && revision === 4);
      expect(await fetched(url)).to.match(greets);

      expect(await developing.end(), developing.said).to.equal(0);
      expect(JSON.parse(app.must('nodes', 'list', '--json'))).to.deep.include({ nodes: [] });
      const spaces = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout;
      expect(spaces).not.to.include(node?.name ?? '?');
    });

  it('builds from a containerfile with the tool that is on the machine', async () => {
    const place = folder();
    cpSync('/bin/busybox', join(place, 'program'));
    writeFileSync(join(place, 'Containerfile'), 'FROM scratch\nCOPY program /program\nCMD ["/program"]\n');
    const build = { containerfile: 'Containerfile' };
    writeFileSync(join(place, 'engine.json'), JSON.stringify({ name: 'one', build }));
    const image = value(await imageOf(value(readDescription(join(place, 'engine.json')))));
    expect(image?.form).to.equal('oci-archive');
    image?.remove();
  });

  it('is told what is wrong with a description before anything is built', () => {
    const cases: readonly (readonly [object, RegExp])[] = [
      [{ name: 'one' }, /either image or build/],
      [{ name: 'one', image: './x', build: { programs: ['node'] } }, /either image or build/],
      [{ name: 'one', build: {} }, /name a containerfile, or packages or programs/],
      [{ name: 'one', build: { containerfile: 'C', packages: ['python3'] } }, /says by itself/],
      [{ name: 'one', build: { programs: ['node'], files: { '../secret': '/srv/x' } } }, /\.\./],
      [{ name: 'one', build: { packages: ['; rm -rf'] } }, /Debian package/],
      [{ name: 'one', build: { programs: ['node'] }, dev: { debugger: 1 } }, /debugger/],
    ];
    for (const [content, why] of cases) {
      const file = app.file('engine.json', JSON.stringify(content));
      const refused = app.cli('engines', 'deploy', file, 'node-1');
      expect(refused.status).to.be.oneOf([1, 2]);
      expect(refused.err).to.match(why);
    }
  });

  it('is told so by `dev` too, which then waits for the next save', async () => {
    const place = folder();
    writeFileSync(join(place, 'engine.json'), JSON.stringify({ name: 'one', build: {} }));
    const developing = new Developing(app.dir, place, '--node', 'node-1');
    const failed = await developing.sees(({ event }) => event === 'failed');
    expect(failed.refusal?.code).to.equal('bad-input');
    writeFileSync(
      join(place, 'engine.json'),
      JSON.stringify({ name: 'one', build: { containerfile: 'none' } }),
    );
    await developing.sees(({ event, refusal }) => event === 'failed' && refusal?.code !== 'bad-input');
    expect(await developing.end(), developing.said).to.equal(0);
  });
});
