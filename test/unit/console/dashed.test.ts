import { Command } from 'commander';
import { expect } from 'chai';
import { parseWithIds } from '../../../console/cli/dashed.js';

describe('an id that begins with a dash', () => {
  const lease = '-q2-796tvu_erb7v3q2-7w';
  const key = '-cmJVHSnb4gWLQQCX38z6cWAfUW6uZELzVaCUbHjmzI';

  async function given(...args: readonly string[]): Promise<unknown> {
    let seen: unknown;
    const program = new Command('program').option('--dir <dir>').exitOverride();
    program.configureOutput({ writeErr: () => {} });
    program
      .command('remove')
      .argument('<console>')
      .argument('<nodes...>')
      .option('--destroy <lease>', 'a lease', (one: string, all: readonly string[]) => [...all, one], [])
      .option('--all-of-what-is-there')
      .action((console: string, nodes: readonly string[], flags: object) => {
        seen = { console, nodes, ...flags, ...program.opts() };
      });
    await parseWithIds(program, args);
    return seen;
  }

  it('is an id, wherever it stands', async () => {
    expect(await given('remove', key, 'node-1', lease)).to.deep.equal({
      console: key,
      nodes: ['node-1', lease],
      destroy: [],
    });
    const named = await given('--dir', 'd', 'remove', '--destroy', lease, 'x', 'y', '--destroy', key);
    expect(named).to.deep.equal({ console: 'x', nodes: ['y'], destroy: [lease, key], dir: 'd' });
  });

  it('is told from an option that is as long', async () => {
    const flags = await given('remove', 'x', 'y', '--all-of-what-is-there');
    expect(flags).to.deep.include({ allOfWhatIsThere: true });
    expect('--all-of-what-is-there').to.have.length(lease.length);
  });

  it('is left alone behind two dashes', async () => {
    expect(await given('remove', '--', key, lease)).to.deep.include({ console: key, nodes: [lease] });
  });

  it('leaves unknown options what they are', async () => {
    const failed = await given('remove', 'x', 'y', '--destory').catch((error: unknown) => error);
    expect(failed).to.include({ code: 'commander.unknownOption' });
  });
});
