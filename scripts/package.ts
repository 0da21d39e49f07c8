// npm run package: makes bmonitor_VERSION_ARCH.deb with all that runs in it, Node.js included, because Debian 12's is too old.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { bmonitorProgram } from '../bmonitor/cli/program.js';
import { completionFor } from '../console/cli/completion.js';
import { appProgram } from '../console-app/cli/program.js';
import { clusterProgram } from '../console-cluster/cli/program.js';
import { closedRules } from './package/closed.js';
import { commands, control, productionPackages, rooms } from './package/contents.js';
import { manualPage } from './package/man.js';
import { root } from './run/root.js';

const { values } = parseArgs({
  options: { out: { type: 'string', default: root }, compress: { type: 'string', default: 'xz' } },
});

const stage = mkdtempSync(join(tmpdir(), 'bmonitor-package-'));
const home = '/usr/lib/bmonitor';

function put(path: string, content: string, mode = 0o644): void {
  const file = join(stage, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  chmodSync(file, mode);
}

function copy(from: string, to: string, mode?: number): void {
  cpSync(from, join(stage, to), {
    recursive: true,
    dereference: true,
    filter: (file) => !file.endsWith('.map'),
  });
  if (mode !== undefined) chmodSync(join(stage, to), mode);
}

function putPrograms(): void {
  for (const room of rooms) copy(join(root, 'dist', room), `${home}/dist/${room}`);
  copy(join(root, 'package.json'), `${home}/package.json`);
  for (const path of productionPackages()) copy(join(root, path), `${home}/${path}`);
  copy(realpathSync(process.execPath), `${home}/bin/node`, 0o755);
  for (const [name, script] of Object.entries(commands))
    put(`/usr/bin/${name}`, `#!/bin/sh\nexec ${home}/bin/node ${home}/${script} "$@"\n`, 0o755);
}

function putUnits(): void {
  const packaging = join(root, 'packaging');
  for (const unit of ['bmonitor.service', 'bmonitor-closed.service'])
    put(`/usr/lib/systemd/system/${unit}`, readFileSync(join(packaging, unit), 'utf8'));
  put(
    '/usr/lib/systemd/system.conf.d/50-bmonitor.conf',
    readFileSync(join(packaging, 'watchdog.conf'), 'utf8'),
  );
  put(`${home}/bin/close-network`, readFileSync(join(packaging, 'close-network'), 'utf8'), 0o755);
  for (const program of ['bmonitor-open', 'bmonitor-measurement'])
    put(`/usr/sbin/${program}`, readFileSync(join(packaging, program), 'utf8'), 0o755);
  put('/usr/share/bmonitor/closed.nft', closedRules());
  copy(join(root, 'docs'), '/usr/share/doc/bmonitor');
  copy(join(root, 'LICENSE'), '/usr/share/doc/bmonitor/copyright');
  for (const script of ['postinst', 'prerm', 'postrm'])
    put(`/DEBIAN/${script}`, readFileSync(join(packaging, script), 'utf8'), 0o755);
}

/** What measures BMonitor before it runs. */
function putMeasuring(): void {
  const from = join(root, 'packaging/initramfs');
  const to = '/usr/share/initramfs-tools';
  put(`${to}/hooks/bmonitor`, readFileSync(join(from, 'hook'), 'utf8'), 0o755);
  put(
    `${to}/scripts/local-bottom/bmonitor-measure`,
    readFileSync(join(from, 'bmonitor-measure'), 'utf8'),
    0o755,
  );
  put('/usr/share/bmonitor/measurement.sh', readFileSync(join(from, 'measurement.sh'), 'utf8'));
}

/** Manual pages and completion, from the same source as `--help`. */
function putManuals(): void {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  for (const program of [bmonitorProgram(), clusterProgram(), appProgram()]) {
    const name = program.name();
    put(`/usr/share/man/man1/${name}.1`, manualPage(program, version));
    put(`/usr/share/bash-completion/completions/${name}`, completionFor(program, 'bash'));
    put(`/usr/share/zsh/vendor-completions/_${name}`, completionFor(program, 'zsh'));
  }
}

function build(): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const architecture = execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim();
  const installed_kb = Number(execFileSync('du', ['-sk', stage], { encoding: 'utf8' }).split('\t')[0]);
  put('/DEBIAN/control', control(version, architecture, installed_kb));
  const file = join(values.out, `bmonitor_${version}_${architecture}.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', `-Z${values.compress}`, '--build', stage, file], {
    stdio: 'pipe',
  });
  return file;
}

try {
  chmodSync(stage, 0o755);
  putPrograms();
  putUnits();
  putMeasuring();
  putManuals();
  console.log(build());
} finally {
  rmSync(stage, { recursive: true, force: true });
}
