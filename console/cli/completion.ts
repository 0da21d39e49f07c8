import { Argument, type Command } from 'commander';
import { allOf, treeOf, type Told } from './tree.js';

export const shells = ['bash', 'zsh'] as const;
type Shell = (typeof shells)[number];

/** Words of commands and options, from the same source as `--help`; where a value or a file belongs, files. */
export function completionFor(program: Command, shell: Shell): string {
  const tree = treeOf(program);
  return shell === 'bash' ? bash(tree) : zsh(tree);
}

const functionOf = (tree: Told): string => `_${(tree.words[0] ?? '').replaceAll('-', '_')}`;

function casesOf(tree: Told): string {
  return allOf(tree)
    .map(({ words, commands, options }) => {
      const next = [
        ...commands.map(({ words: path }) => path.at(-1)),
        ...options.map(({ long }) => long),
        '--help',
      ];
      return `    '${words.slice(1).join(' ')}') next='${next.join(' ')}' ;;`;
    })
    .join('\n');
}

/** Every word but options and their values leads deeper, as far as there are commands of that name. */
function bash(tree: Told): string {
  const name = tree.words[0] ?? '';
  const values = [
    ...new Set(allOf(tree).flatMap(({ options }) => options.filter(({ takesValue }) => takesValue))),
  ];
  const withValue = [...new Set(values.map(({ long }) => long))].join('|');
  const paths = allOf(tree).map(({ words }) => words.slice(1).join(' '));
  return `# Completion of ${name} for bash.
${functionOf(tree)}() {
  local word path='' trial next='' at cur=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  case $before in ${withValue}) COMPREPLY=($(compgen -f -- "$cur")); return ;; esac
  for ((at = 1; at < COMP_CWORD; at++)); do
    word=\${COMP_WORDS[at]}
    case $word in ${withValue}) ((at++)); continue ;; -*) continue ;; esac
    trial=\${path:+$path }$word
    case $trial in
    ${paths
      .filter((path) => path !== '')
      .map((path) => `'${path}'`)
      .join('|')}) path=$trial ;;
    *) break ;;
    esac
  done
  case $path in
${casesOf(tree)}
  esac
  COMPREPLY=($(compgen -W "$next" -- "$cur"))
  [[ $cur == -* ]] || COMPREPLY+=($(compgen -f -- "$cur"))
}
complete -o filenames -F ${functionOf(tree)} ${name}
`;
}

/** zsh reads completions of bash, which saves a second description of the same. */
function zsh(tree: Told): string {
  return `#compdef ${tree.words[0]}
autoload -U +X bashcompinit && bashcompinit
${bash(tree)}`;
}

export function completionCommand(program: Command): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>').choices(shells))
    .description('print what completes this command in a shell')
    .addHelpText(
      'after',
      `\nExamples:\n  source <(${program.name()} completion bash)\n  ${program.name()} completion zsh > ~/.zsh/_${program.name()}`,
    )
    .action((shell: Shell) => {
      process.stdout.write(completionFor(program, shell));
    });
}
