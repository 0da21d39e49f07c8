import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
/** What only daemons need: it costs three times as much to read as all that a command line is made of. */
const heavy = ['fastify', 'node-forge', 'ws', 'level', 'dhcp', 'pcap-parser'];

interface Covered {
  readonly result: readonly { readonly url: string }[];
}

describe('house: a command line', () => {
  for (const program of ['bmonitor', 'console-cluster', 'console-app'])
    it(`of ${program} loads nothing that only its daemon needs`, () => {
      const folder = mkdtempSync(join(tmpdir(), 'bmonitor-loaded-'));
      try {
        const env = { ...process.env, NODE_V8_COVERAGE: folder };
        const index = join(root, program, 'cli/index.js');
        const { status } = spawnSync(process.execPath, [index, '--version'], { env });
        expect(status).to.equal(0);
        const [file = ''] = readdirSync(folder);
        const { result } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Covered;
        const packages = result.map(({ url }) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]);
        expect(packages).to.include('commander').and.not.include.any.members(heavy);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
});
