import { expect } from 'chai';
import { allOf, treeOf, type Told } from '../../../console/cli/tree.js';
import { appProgram } from '../../../console-app/cli/program.js';
import { clusterProgram } from '../../../console-cluster/cli/program.js';

/** Commands that print no answer which a program could want in another form. */
const withoutJson: Readonly<Record<string, string>> = {
  run: 'a daemon; it writes its log, one JSON object a line',
  'store run': 'a daemon too',
  completion: 'a script for a shell',
  'filters edit': 'a conversation at a terminal',
  'engines exec': 'the bytes of a command inside an engine',
  'engines attach': 'the bytes of an engine’s terminal',
};

for (const make of [clusterProgram, appProgram]) {
  const program = treeOf(make());
  const leaves = allOf(program).filter(({ commands }) => commands.length === 0);
  const called = ({ words }: Told): string => words.slice(1).join(' ');

  describe(`every command of ${make().name()}`, () => {
    it('gives its answer as JSON when it is asked to', () => {
      const lacking = leaves
        .filter(({ options }) => !options.some(({ long }) => long === '--json'))
        .map(called);
      expect(lacking.filter((words) => withoutJson[words] === undefined)).to.deep.equal([]);
    });

    it('shows in its help how it is typed, and what its exit codes mean', () => {
      expect(leaves.filter(({ after }) => !after.includes('Example')).map(called)).to.deep.equal([]);
      expect(leaves.filter(({ after }) => !/exit codes?/i.test(after)).map(called)).to.deep.equal([]);
    });

    it('has examples that it would understand: its own words, and options that it has', () => {
      const wrong: string[] = [];
      for (const leaf of leaves) {
        const known = new Set([...program.options, ...leaf.options].map(({ long }) => long));
        const typed = new RegExp(`(?:^|\\s)${called(leaf)}(\\s.*)?$`);
        for (const line of leaf.after.split('\n')) {
          const [rest = ''] = (typed.exec(line)?.[1] ?? '').split(/ -- | \| |\$\(|…/);
          for (const [, option = ''] of rest.matchAll(/ (--[a-z][a-z-]*)/g))
            if (!known.has(option)) wrong.push(`${called(leaf)}: ${option} in ${line.trim()}`);
        }
        if (!leaf.after.includes(called(leaf))) wrong.push(`${called(leaf)}: not named in its examples`);
      }
      expect(wrong).to.deep.equal([]);
    });
  });
}
