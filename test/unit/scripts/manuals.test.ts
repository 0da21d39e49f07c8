import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { bmonitorProgram } from '../../../bmonitor/cli/program.js';
import { completionFor } from '../../../console/cli/completion.js';
import { allOf, treeOf } from '../../../console/cli/tree.js';
import { appProgram } from '../../../console-app/cli/program.js';
import { clusterProgram } from '../../../console-cluster/cli/program.js';
import { manualPage } from '../../../scripts/package/man.js';

/** What bash offers for a line that is being typed. */
function offered(script: string, line: string): readonly string[] {
  const words = line.split(' ');
  const run = `${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
${/complete .* -F (\S+)/.exec(script)?.[1]}
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', run], {
    encoding: 'utf8',
    cwd: '/proc/self/task',
  });
  expect(`${status} ${stderr}`).to.equal('0 ');
  return stdout.trim().split('\n');
}

for (const make of [bmonitorProgram, clusterProgram, appProgram]) {
  const name = make().name();
  describe(`the manual and the completion of ${name}`, () => {
    it('name every command, with what it is for', () => {
      const page = manualPage(make(), '1.2.3');
      for (const { words, about, commands } of allOf(treeOf(make())).slice(1)) {
        expect(about, words.join(' ')).not.to.equal('');
        if (commands.length === 0) expect(page).to.include(words.slice(1).join(' ').replaceAll('-', '\\-'));
      }
    });

    it('are read by man without a warning', () => {
      const { stderr, stdout } = spawnSync('groff', ['-man', '-ww', '-Tutf8'], {
        encoding: 'utf8',
        input: manualPage(make(), '1.2.3'),
      });
      expect(stderr).to.equal('');
      expect(stdout).to.include(name);
    });

    it('complete commands and options in a real bash', () => {
      const script = completionFor(make(), 'bash');
      const [first] = make().commands.filter(({ commands }) => commands.length > 0);
      expect(offered(script, `${name} ${first?.name().slice(0, 3)}`)).to.include(first?.name());
      const [second] = first?.commands ?? [];
      expect(offered(script, `${name} ${first?.name()} `)).to.include(second?.name());
      expect(offered(script, `${name} ${first?.name()} ${second?.name()} --h`)).to.include('--help');
    });
  });
}

describe('the completion', () => {
  it('passes over options and their values', () => {
    const script = completionFor(clusterProgram(), 'bash');
    expect(offered(script, 'console-cluster --dir /tmp nodes ad')).to.deep.equal(['add']);
    expect(offered(script, 'console-cluster leases end node-1 --des')).to.deep.equal(['--destroy']);
  });

  it('is printed by the consoles themselves', () => {
    expect(clusterProgram().commands.map((one) => one.name())).to.include('completion');
    expect(completionFor(appProgram(), 'zsh')).to.match(/^#compdef console-app\n/);
  });
});
