import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { keptKinds, type KeptKind } from '../../console/keys/kept.js';
import { RealConsole } from '../fakes/console.js';
import { until } from '../fakes/until.js';

const cli = fileURLToPath(new URL('../../console-app/cli/index.js', import.meta.url));
const tools: Readonly<Record<KeptKind, string>> = {
  'secret-service': 'secret-tool',
  keyring: 'keyctl',
  systemd: 'systemd-creds',
};

describe('the passphrase of a console’s key', function () {
  this.timeout(120_000);
  const consoles: RealConsole[] = [];
  after(async () => {
    for (const it of consoles) await it.remove();
  });

  function made(): RealConsole {
    const it = new RealConsole('console-app');
    consoles.push(it);
    it.init();
    return it;
  }

  /** The tools as they are, but whatever they are told on their command line and in their environment is written down. */
  function watched(it: RealConsole): NodeJS.ProcessEnv {
    const home = dirname(it.file('home', ''));
    const bin = join(home, 'bin');
    mkdirSync(bin, { recursive: true });
    for (const tool of Object.values(tools)) {
      const real = spawnSync('which', [tool], { encoding: 'utf8' }).stdout.trim();
      const script = `#!/bin/sh\n{ echo "$@"; env; } >> ${home}/told\nexec ${real} "$@"\n`;
      writeFileSync(join(bin, tool), script);
      chmodSync(join(bin, tool), 0o755);
    }
    return { ...process.env, HOME: home, PATH: `${bin}:${process.env['PATH']}` };
  }

  /** In a session with a keyring, as a desktop has one. */
  function inSession(it: RealConsole, script: string): { status: number | null; out: string; err: string } {
    const unlock = 'printf login | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1';
    const whole = `${unlock}; app="${process.execPath} ${cli} --dir ${it.dir}"; ${script}`;
    const run = spawnSync('dbus-run-session', ['--', 'bash', '-c', whole], {
      encoding: 'utf8',
      env: watched(it),
    });
    return { status: run.status, out: run.stdout, err: run.stderr };
  }

  for (const kind of keptKinds)
    it(`is kept by ${kind} (${tools[kind]}), so that the daemon starts without being told it, and is never on a command line`, () => {
      const mine = made();
      const begin =
        '$app run & pid=$!; for i in $(seq 200); do [ -e $DIR/running.json ] && break; sleep 0.1; done';
      const { status, out, err } = inSession(
        mine,
        `DIR=${mine.dir}; set -e
        $app key keep ${kind} --passphrase-file ${mine.passphrase}
        $app key show
        ${begin}; $app nodes list; kill $pid; wait $pid
        $app key backup ${mine.dir}/backup.p12 --backup-passphrase-file ${mine.passphrase}
        $app key forget
        $app key show`,
      );
      expect(status, err + out).to.equal(0);
      expect(out).to.include(`${kind} keeps the passphrase`).and.include(`passphrase kept in: ${kind}`);
      expect(out).to.include('no nodes').and.include('is backed up').and.include('keeps it no longer');
      expect(out.trimEnd().split('\n').at(-1)).not.to.include('kept in');
      const told = readFileSync(join(dirname(mine.dir), 'told'), 'utf8');
      expect(told).to.include('bmonitor');
      for (const secret of ['four random words', Buffer.from('four random words').toString('base64url')])
        expect(told).not.to.include(secret);
      expect(mine.cli('run').err).to.match(/^no-passphrase: /);
    });

  it('that is changed is changed in the store too', () => {
    const mine = made();
    const other = mine.file('other', 'quite other words\n');
    chmodSync(other, 0o600);
    const { status, out, err } = inSession(
      mine,
      `set -e; $app key keep systemd --passphrase-file ${mine.passphrase}
      $app key passphrase --new-passphrase-file ${other}
      $app key passphrase --new-passphrase-file ${other}`,
    );
    expect(status, err).to.equal(0);
    expect(out).to.include('under the new passphrase, which systemd keeps');
  });

  it('is not kept when it opens nothing', () => {
    const mine = made();
    const wrong = mine.file('wrong', 'not these words\n');
    chmodSync(wrong, 0o600);
    const refused = mine.cli('key', 'keep', 'systemd', '--passphrase-file', wrong);
    expect(refused.err).to.match(/^wrong-passphrase: /);
    expect(existsSync(join(mine.dir, 'passphrase.cred'))).to.equal(false);
  });

  it('that a store does not give is asked of whoever starts the console, and the refusal says what to do', () => {
    const mine = made();
    mine.must('key', 'keep', 'systemd', '--passphrase-file', mine.passphrase);
    writeFileSync(join(mine.dir, 'passphrase.cred'), 'altered');
    const refused = mine.cli('run');
    expect(refused.err)
      .to.match(/^key-store-failed: /)
      .and.include('--passphrase-file');
  });

  it('that is lost leaves what the backup opens, and says what can be done and what cannot', async () => {
    const mine = made();
    const backup = join(mine.dir, 'backup.p12');
    const words = ['--passphrase-file', mine.passphrase, '--backup-passphrase-file', mine.passphrase];
    mine.must('key', 'backup', backup, ...words);
    const before = mine.must('key', 'show');
    const wrong = mine.file('wrong', 'whatever it may have been\n');
    chmodSync(wrong, 0o600);
    const lost = mine.cli('run', '--passphrase-file', wrong);
    expect(lost.err)
      .to.match(/^wrong-passphrase: /)
      .and.include('key restore')
      .and.include('roster add')
      .and.include('only the landlord can end the lease, which destroys its data');
    const restore = ['--backup-passphrase-file', mine.passphrase, '--new-passphrase-file', wrong];
    mine.must('key', 'restore', backup, ...restore);
    expect(mine.must('key', 'show')).to.equal(before);
    const daemon = spawn(process.execPath, [cli, '--dir', mine.dir, 'run', '--passphrase-file', wrong]);
    await until(() => existsSync(join(mine.dir, 'running.json')));
    daemon.kill();
  });
});
