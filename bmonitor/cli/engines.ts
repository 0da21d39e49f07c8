import { resolve } from 'node:path';
import type { Command } from 'commander';
import { idText } from '../../protocol/fields.js';
import { fail } from './output.js';

interface ImportFlags {
  readonly dir: string;
  readonly lease: string;
  readonly json?: boolean;
}

export function addEngines(program: Command): void {
  program
    .command('engines')
    .description('Engines of this machine. They are commanded from a console; here is what needs no command.')
    .command('import')
    .description(
      'Takes in an image that lies on this machine, where BMonitor runs. It starts only when a command of the level names its digest.',
    )
    .argument('<path>', 'a folder or archive in the OCI layout, or a plain folder or tar archive of files')
    .requiredOption('--lease <id>', 'for which lease; its level’s console shows the id')
    .option('--dir <folder>', 'the folder of the node', '/var/lib/bmonitor')
    .option('--json', 'print what was stored as JSON')
    .addHelpText(
      'after',
      `
Examples:
  skopeo copy docker-archive:web.tar oci-archive:web.oci
  bmonitor engines import web.oci --lease 3q2-796tvu_erb7v3q2-7w
  bmonitor engines import ./rootfs --lease 3q2-796tvu_erb7v3q2-7w --json

Under the packaged unit BMonitor sees neither /root, /home nor the /tmp of others: put it elsewhere, as under /srv.

Exit codes: 0 it is stored, 1 it was refused, 2 bad input.
`,
    )
    .action(take);
}

async function take(path: string, flags: ImportFlags): Promise<void> {
  const json = flags.json === true;
  const lease = idText(flags.lease, '--lease');
  if (!lease.ok) return fail(lease.refusal, json);
  const { askForImport } = await import('../local.js');
  const stored = await askForImport(flags.dir, { lease: lease.value, path: resolve(path) });
  if (!stored.ok) return fail(stored.refusal, json);
  const { digest, bytes, files } = stored.value;
  process.stdout.write(
    json ? `${JSON.stringify(stored.value)}\n` : `${digest}\n${files} files, ${bytes} bytes\n`,
  );
}
