import type { Command } from 'commander';
import { clientFor } from '../../console/cli/client.js';
import { orExit, table } from '../../console/cli/output.js';
import { number } from '../../console/cli/options.js';
import { roles } from '../../console/api/access.js';
import { limits } from '../../protocol/limits.js';
import { refuse } from '../../protocol/result.js';

interface Json {
  readonly json?: boolean;
}

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
const roleOption = ['--role <role>', `one of ${roles.join(', ')}, each containing the one before`] as const;

/** The staff of the facility. */
export function accountCommands(program: Command, dirOf: () => string): void {
  const accounts = program.command('accounts').description('the people who may use this console');

  const invitation = async (path: string, body: unknown, flags: Json): Promise<void> => {
    const client = orExit(clientFor(dirOf()), flags.json);
    const made = orExit(await client.call('POST', path, body), flags.json);
    if (flags.json) return console.log(JSON.stringify(made));
    console.log(
      `Give this link to that person, by a way nobody else reads. It works once, until ${day(Number(made['until']))}:\n\n` +
        `  ${client.url}/#invitation=${String(made['code'])}\n\n` +
        'There they choose a password and a second factor, which nobody else learns.',
    );
  };

  accounts
    .command('list')
    .option('--json', 'print JSON')
    .description('all accounts, with role and state')
    .action(async (flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', '/api/v1/accounts'), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      const all = answer['accounts'] as readonly {
        readonly name: string;
        readonly role: string;
        readonly state: string;
        readonly since: number;
        readonly totp: boolean;
        readonly passkeys: number;
      }[];
      if (all.length === 0) return console.log('no accounts; invite the first with: accounts invite NAME');
      console.log(
        table(
          ['NAME', 'ROLE', 'STATE', 'SINCE', 'SECOND FACTOR'],
          all.map(({ name, role, state, since, totp, passkeys }) => [
            name,
            role,
            state,
            day(since),
            [totp ? 'authenticator' : '', passkeys > 0 ? `${passkeys} passkeys` : '']
              .filter(Boolean)
              .join(', '),
          ]),
        ),
      );
    });
  accounts
    .command('invite')
    .argument('<name>')
    .option(...roleOption, 'view')
    .option('--json', 'print JSON')
    .description('make an account and the link with which its person opens it')
    .addHelpText(
      'after',
      '\nExamples:\n  accounts invite mara --role administer    the first administrator\n  accounts invite jon --role operate',
    )
    .action(async (name: string, flags: Json & { role: string }) =>
      invitation('/api/v1/accounts', { name, role: flags.role }, flags),
    );
  accounts
    .command('reset')
    .argument('<name>')
    .option('--json', 'print JSON')
    .description('take password and second factors away, end the sessions, and invite again')
    .action(async (name: string, flags: Json) =>
      invitation(`/api/v1/accounts/${encodeURIComponent(name)}/reset`, undefined, flags),
    );
  accounts
    .command('role')
    .argument('<name>')
    .argument('<role>', roles.join(', '))
    .option('--json', 'print JSON')
    .description('change what an account may do; its sessions end')
    .action(async (name: string, role: string, flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      orExit(await client.call('PUT', `/api/v1/accounts/${encodeURIComponent(name)}`, { role }), flags.json);
      console.log(flags.json ? '{}' : `${name} may ${role} from now on`);
    });
  accounts
    .command('close')
    .argument('<name>')
    .option('--confirm <name>', 'the name of the account once more')
    .option('--json', 'print JSON')
    .description('close an account; nothing of it logs in any more')
    .action(async (name: string, flags: Json & { confirm?: string }) => {
      if (flags.confirm !== name)
        orExit(refuse('confirm-by-name', `--confirm ${name}`, { where: '--confirm' }), flags.json);
      const client = orExit(clientFor(dirOf()), flags.json);
      orExit(await client.call('DELETE', `/api/v1/accounts/${encodeURIComponent(name)}`), flags.json);
      console.log(flags.json ? '{}' : `${name} is closed`);
    });
}

interface TokenFlags extends Json {
  readonly role: string;
  readonly days: number;
  readonly area?: readonly string[];
}

/** Tokens for programs. */
export function tokenCommands(program: Command, dirOf: () => string): void {
  const tokens = program.command('tokens').description('tokens with which programs call the API');
  tokens
    .command('list')
    .option('--json', 'print JSON')
    .description('all tokens, without their secret part')
    .action(async (flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      const answer = orExit(await client.call('GET', '/api/v1/tokens'), flags.json);
      if (flags.json) return console.log(JSON.stringify(answer));
      const all = answer['tokens'] as readonly {
        readonly name: string;
        readonly role: string;
        readonly areas?: readonly string[];
        readonly madeBy: string;
        readonly until: number;
      }[];
      const rows = all.map(({ name, role, areas, madeBy, until }) => [
        name,
        role,
        areas?.join(' ') ?? 'everything',
        madeBy,
        day(until),
      ]);
      console.log(
        all.length === 0 ? 'no tokens' : table(['NAME', 'ROLE', 'AREAS', 'MADE BY', 'UNTIL'], rows),
      );
    });
  tokens
    .command('make')
    .argument('<name>')
    .option(...roleOption, 'view')
    .option('--days <days>', 'how long it holds', number(1, limits.token_days_max), 90)
    .option('--area <area...>', 'only these areas of the API, such as nodes or metrics; absent, all')
    .option('--json', 'print JSON')
    .description('make a token; it is printed once and kept nowhere')
    .addHelpText('after', '\nExample:\n  tokens make prometheus --role view --area metrics --days 365')
    .action(async (name: string, flags: TokenFlags) => {
      const { role, days, area } = flags;
      const client = orExit(clientFor(dirOf()), flags.json);
      const body = { name, role, days, ...(area ? { areas: area } : {}) };
      const made = orExit(await client.call('POST', '/api/v1/tokens', body), flags.json);
      console.log(flags.json ? JSON.stringify(made) : String(made['token']));
    });
  tokens
    .command('revoke')
    .argument('<name>')
    .option('--json', 'print JSON')
    .description('end a token at once')
    .action(async (name: string, flags: Json) => {
      const client = orExit(clientFor(dirOf()), flags.json);
      orExit(await client.call('DELETE', `/api/v1/tokens/${encodeURIComponent(name)}`), flags.json);
      console.log(flags.json ? '{}' : `${name} is revoked`);
    });
}
