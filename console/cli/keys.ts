import { existsSync } from 'node:fs';
import { InvalidArgumentError, type Command } from 'commander';
import { rotateCommand } from './key-rotation.js';
import { consoleFiles, readFileLimited, readSecretFile, writeFileWhole } from '../daemon/files.js';
import { openPair, publicOf, sealPair } from '../keys/file.js';
import { forget, keep, keptKinds, keptWhere, type KeptKind } from '../keys/kept.js';
import { newPassphraseFrom, passphraseFrom, passphraseOf } from '../keys/passphrase.js';
import { refuse, type Result } from '../../protocol/result.js';
import { orExit, say } from './output.js';

interface Flags {
  readonly json?: boolean;
  readonly passphraseFile?: string;
  readonly backupPassphraseFile?: string;
  readonly newPassphraseFile?: string;
}

const passphraseOption = ['--passphrase-file <file>', 'where the passphrase of the key is'] as const;
const backupOption = ['--backup-passphrase-file <file>', 'where the passphrase of the backup is'] as const;

/** The console's own key. These commands need no daemon. */
export function keyCommands(program: Command, dirOf: () => string): void {
  const key = program.command('key').description("this console's own key");
  key
    .command('show')
    .option('--json', 'print JSON')
    .description('the thumbprint, to be compared by another way than the card took')
    .action((flags: Flags) => {
      const file = orExit(readSecretFile(consoleFiles(dirOf()).key), flags.json);
      const { id, bits } = orExit(publicOf(file.toString()), flags.json);
      const kept = orExit(keptWhere(consoleFiles(dirOf())), flags.json);
      const where = kept ? `  passphrase kept in: ${kept.kind}` : '';
      say(flags, { key: id, bits, kept: kept?.kind ?? null }, `${id}  RSA ${bits}${where}`);
    });
  key
    .command('backup')
    .argument('<file>', 'the PKCS#12 file to write')
    .option(...passphraseOption)
    .option(...backupOption)
    .option('--json', 'print JSON')
    .description('write the key as PKCS#12, under a passphrase of its own')
    .action(async (path: string, flags: Flags) => {
      const sealed = orExit(readSecretFile(consoleFiles(dirOf()).key)).toString();
      const passphrase = orExit(await passphraseOf(consoleFiles(dirOf()), flags.passphraseFile));
      const pair = orExit(await openPair(sealed, passphrase));
      const { exportPkcs12 } = await import('../keys/pkcs12.js');
      const backup = exportPkcs12(
        pair,
        'console',
        orExit(await newPassphraseFrom(flags.backupPassphraseFile)),
      );
      orExit(writeFileWhole(path, backup));
      const key = pair.public.id;
      say(flags, { key, file: path }, `${key} is backed up in ${path}`);
    });
  key
    .command('restore')
    .argument('<file>', 'the PKCS#12 file')
    .option(...backupOption)
    .option('--new-passphrase-file <file>', 'where the passphrase for the key file is')
    .option('--json', 'print JSON')
    .description(
      'put the key of a backup in place of the key file; only the same key, or where there is none',
    )
    .action(async (path: string, flags: Flags) => {
      const files = consoleFiles(dirOf());
      const asked = await passphraseFrom(flags.backupPassphraseFile, 'Passphrase of the backup: ');
      const { importPkcs12 } = await import('../keys/pkcs12.js');
      const pair = orExit(importPkcs12(orExit(readFileLimited(path)), orExit(asked)));
      const present = readFileLimited(files.key);
      const known = present.ok ? publicOf(present.value.toString()) : undefined;
      if (existsSync(files.nextKey) || existsSync(files.oldKey)) orExit(refuse('key-rotating', 'restore'));
      if (known?.ok && known.value.id !== pair.public.id)
        orExit(
          refuse(
            'already-there',
            `another key, ${known.value.id}, is in ${files.key}; a backup from before the key was replaced opens nothing any more`,
          ),
        );
      const passphrase = orExit(await newPassphraseFrom(flags.newPassphraseFile));
      orExit(writeFileWhole(files.key, await sealPair(pair, passphrase)));
      say(flags, { key: pair.public.id }, `${pair.public.id} is restored`);
    });
  rotateCommand(key, dirOf);
  key
    .command('passphrase')
    .option(...passphraseOption)
    .option('--new-passphrase-file <file>', 'where the new passphrase is')
    .option('--json', 'print JSON')
    .description('put the key under another passphrase')
    .action(async (flags: Flags) => {
      const files = consoleFiles(dirOf());
      // The key that waits beside it is under the same passphrase, and the daemon opens it by that.
      if (existsSync(files.nextKey) || existsSync(files.oldKey)) orExit(refuse('key-rotating', 'passphrase'));
      const sealed = orExit(readSecretFile(files.key)).toString();
      const old = orExit(await passphraseOf(files, flags.passphraseFile));
      const pair = orExit(await openPair(sealed, old));
      const passphrase = orExit(await newPassphraseFrom(flags.newPassphraseFile));
      const kept = orExit(keptWhere(files));
      orExit(writeFileWhole(files.key, await sealPair(pair, passphrase)));
      // The store would open nothing any more with the old one.
      if (kept) orExit(await keep(files, kept.kind, pair.public.id, passphrase));
      const words = `the key is under the new passphrase${kept ? `, which ${kept.kind} keeps` : ''}`;
      say(flags, { key: pair.public.id, kept: kept?.kind ?? null }, words);
    });
  key
    .command('keep')
    .argument('<store>', `one of ${keptKinds.join(', ')}`, kindFrom)
    .option(...passphraseOption)
    .option('--json', 'print JSON')
    .description('let a store of the operating system keep the passphrase, so that nobody is asked for it')
    .addHelpText(
      'after',
      `
  secret-service   the keyring of your desktop session (secret-tool), open while you are logged in
  keyring          the kernel's memory (keyctl), until this machine is switched off
  systemd          a file that only this machine opens, by its TPM where it has one (systemd-creds), for a console that runs as a service

Whoever is you on this machine can then use the key without being asked. Examples:
  key keep secret-service
  key keep systemd --passphrase-file ./passphrase
`,
    )
    .action(async (kind: KeptKind, flags: Flags) => {
      const files = consoleFiles(dirOf());
      const before = orExit(keptWhere(files));
      const passphrase = orExit(await passphraseOf(files, flags.passphraseFile));
      // What opens nothing is not worth keeping.
      const pair = orExit(await openPair(orExit(readSecretFile(files.key)).toString(), passphrase));
      orExit(await keep(files, kind, pair.public.id, passphrase));
      if (before && before.kind !== kind) orExit(await forgetOther(files, before));
      const key = pair.public.id;
      say(flags, { key, kept: kind }, `${kind} keeps the passphrase of ${key}`);
    });
  key
    .command('forget')
    .option('--json', 'print JSON')
    .description('take the passphrase out of the store of the operating system; you are asked again')
    .action(async (flags: Flags) => {
      const files = consoleFiles(dirOf());
      const kept = orExit(keptWhere(files));
      if (!kept) return orExit(refuse('not-found', 'no store keeps the passphrase'));
      orExit(await forget(files, kept));
      say(flags, { kept: null }, `${kept.kind} keeps it no longer`);
    });
}

/** The mark already names the new store. */
async function forgetOther(
  files: ReturnType<typeof consoleFiles>,
  before: Parameters<typeof forget>[1],
): Promise<Result<true>> {
  const mark = orExit(readFileLimited(files.kept));
  const gone = await forget(files, before);
  return gone.ok ? writeFileWhole(files.kept, mark) : gone;
}

function kindFrom(text: string): KeptKind {
  const kind = keptKinds.find((one) => one === text);
  if (kind === undefined) throw new InvalidArgumentError(`One of ${keptKinds.join(', ')}.`);
  return kind;
}
