import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { rotateCommand } from './key-rotation.js';
import { consoleFiles, readFileLimited, readSecretFile, writeFileWhole } from '../daemon/files.js';
import { openPair, publicOf, sealPair } from '../keys/file.js';
import { newPassphraseFrom, passphraseFrom } from '../keys/passphrase.js';
import { exportPkcs12, importPkcs12 } from '../keys/pkcs12.js';
import { refuse } from '../../protocol/result.js';
import { orExit } from './output.js';

interface Flags {
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
    .description('the thumbprint, to be compared by another way than the card took')
    .action(() => {
      const shown = orExit(publicOf(orExit(readSecretFile(consoleFiles(dirOf()).key)).toString()));
      console.log(`${shown.id}  RSA ${shown.bits}`);
    });
  key
    .command('backup')
    .argument('<file>', 'the PKCS#12 file to write')
    .option(...passphraseOption)
    .option(...backupOption)
    .description('write the key as PKCS#12, under a passphrase of its own')
    .action(async (path: string, flags: Flags) => {
      const sealed = orExit(readSecretFile(consoleFiles(dirOf()).key)).toString();
      const pair = orExit(
        await openPair(sealed, orExit(await passphraseFrom(flags.passphraseFile, 'Passphrase: '))),
      );
      const backup = exportPkcs12(
        pair,
        'console',
        orExit(await newPassphraseFrom(flags.backupPassphraseFile)),
      );
      orExit(writeFileWhole(path, backup));
      console.log(`${pair.public.id} is backed up in ${path}`);
    });
  key
    .command('restore')
    .argument('<file>', 'the PKCS#12 file')
    .option(...backupOption)
    .option('--new-passphrase-file <file>', 'where the passphrase for the key file is')
    .description(
      'put the key of a backup in place of the key file; only the same key, or where there is none',
    )
    .action(async (path: string, flags: Flags) => {
      const files = consoleFiles(dirOf());
      const asked = await passphraseFrom(flags.backupPassphraseFile, 'Passphrase of the backup: ');
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
      console.log(`${pair.public.id} is restored`);
    });
  rotateCommand(key, dirOf);
  key
    .command('passphrase')
    .option(...passphraseOption)
    .option('--new-passphrase-file <file>', 'where the new passphrase is')
    .description('put the key under another passphrase')
    .action(async (flags: Flags) => {
      const files = consoleFiles(dirOf());
      // The key that waits beside it is under the same passphrase, and the daemon opens it by that.
      if (existsSync(files.nextKey) || existsSync(files.oldKey)) orExit(refuse('key-rotating', 'passphrase'));
      const sealed = orExit(readSecretFile(files.key)).toString();
      const old = orExit(await passphraseFrom(flags.passphraseFile, 'Passphrase: '));
      const pair = orExit(await openPair(sealed, old));
      const passphrase = orExit(await newPassphraseFrom(flags.newPassphraseFile));
      orExit(writeFileWhole(files.key, await sealPair(pair, passphrase)));
      console.log('the key is under the new passphrase');
    });
}
