import { folderDigest } from '../../bmonitor/ports/engines.js';
import { Secret } from '../../crypto/secret.js';
import { sealSecret } from '../../protocol/engine-secrets.js';
import { verifyBoot } from '../../protocol/unlock.js';
import type { CommandType } from '../../protocol/commands.js';
import type { Running } from './machine/machine.js';
import { asked, give, type Asked } from './machine/world.js';
import { value } from './results.js';
import type { Sample } from './sample.js';

const settings = { image: `sha256:${'5'.repeat(64)}`, command: ['/bin/server'], env: { MODE: 'test' } };

function put(name: string, expect?: number): Asked {
  return asked('tenant.developer', {
    type: 'engine.put',
    name,
    settings: { ...settings, ports: [{ port: expect === undefined ? 80 : 81, protocol: 'tcp' }] },
    ...(expect === undefined ? {} : { expect }),
  });
}

/** Sealed to the pair of this start, as its console would. */
async function setSecret({ core }: Running): Promise<Asked> {
  const statement = await core.boot.statement(core.identity);
  const to = value(await verifyBoot(statement, core.identity.public, core.boot.boot));
  const place = { lease: core.state.levels[1]?.lease ?? '', name: 'password' };
  const sealed = await sealSecret(to, place, Secret.take(Buffer.from('correct horse')));
  return asked('tenant.developer', { type: 'secret.set', name: 'password', value: sealed });
}

async function described(running: Running): Promise<void> {
  value(await give(running, put('web')));
}

async function started(running: Running): Promise<void> {
  await described(running);
  value(await give(running, asked('tenant.developer', { type: 'engine.start', name: 'web' })));
}

function one(type: 'engine.start' | 'engine.kill' | 'engine.pause' | 'engine.remove', title: string): Sample {
  return {
    title,
    base: 'tenant',
    prepare: type === 'engine.start' ? described : started,
    ask: () => asked('tenant.developer', { type, name: 'web' }),
  };
}

/** Engines: what is commanded is made durable, and what runs follows it. */
export const engineSamples: Partial<Record<CommandType, readonly Sample[]>> = {
  'engine.put': [
    { title: 'the tenant describes an engine', base: 'tenant', ask: () => put('web') },
    {
      title: 'the tenant describes an engine anew',
      base: 'tenant',
      prepare: described,
      ask: () => put('web', 1),
    },
  ],
  'engine.start': [one('engine.start', 'the tenant starts an engine')],
  'engine.kill': [one('engine.kill', 'the tenant kills an engine')],
  'engine.pause': [one('engine.pause', 'the tenant pauses an engine')],
  'engine.remove': [one('engine.remove', 'the tenant removes an engine')],
  'folder.remove': [
    {
      title: 'the tenant removes a folder that no engine names',
      base: 'tenant',
      prepare: described,
      ask: () => asked('tenant.developer', { type: 'folder.remove', name: 'data' }),
      holds: ({ core }, { removed }) =>
        core.state.levels.every(
          ({ goingFolders, lease }, level) =>
            goingFolders === undefined && (level !== 1 || removed.has(folderDigest(lease, 'data'))),
        ),
    },
  ],
  'engine.exec': [
    {
      title: 'the tenant runs a command in an engine',
      base: 'tenant',
      prepare: started,
      ask: () => asked('tenant.developer', { type: 'engine.exec', name: 'web', command: ['/bin/true'] }),
    },
  ],
  'engine.attach': [
    {
      title: 'the tenant attaches to an engine',
      base: 'tenant',
      prepare: started,
      ask: () => asked('tenant.developer', { type: 'engine.attach', name: 'web' }),
    },
  ],
  'engine.forward': [
    {
      title: 'the tenant opens a connection to a port inside an engine',
      base: 'tenant',
      prepare: started,
      ask: () => asked('tenant.developer', { type: 'engine.forward', name: 'web', port: 9229 }),
    },
  ],
  'secret.set': [
    {
      title: 'the tenant sets a secret of engines',
      base: 'tenant',
      passing: true,
      ask: async (running) => setSecret(running),
    },
    {
      title: 'the tenant replaces a secret of engines',
      base: 'tenant',
      passing: true,
      prepare: async (running) => value(await give(running, await setSecret(running))),
      ask: async (running) => setSecret(running),
    },
  ],
  'secret.remove': [
    {
      title: 'the tenant destroys a secret of engines',
      base: 'tenant',
      prepare: async (running) => value(await give(running, await setSecret(running))),
      ask: () => asked('tenant.developer', { type: 'secret.remove', name: 'password' }),
    },
  ],
  'engine.stop': [
    {
      title: 'the tenant stops an engine',
      base: 'tenant',
      prepare: started,
      ask: () => asked('tenant.developer', { type: 'engine.stop', name: 'web', grace_s: 5 }),
    },
  ],
  'engine.restart': [
    {
      title: 'the tenant restarts an engine',
      base: 'tenant',
      prepare: started,
      ask: () => asked('tenant.developer', { type: 'engine.restart', name: 'web' }),
    },
  ],
  'engine.reload': [
    {
      title: 'the tenant has an engine begin anew with its image',
      base: 'tenant',
      prepare: started,
      ask: () => asked('tenant.developer', { type: 'engine.reload', name: 'web' }),
    },
  ],
  'engine.resume': [
    {
      title: 'the tenant lets a paused engine go on',
      base: 'tenant',
      prepare: async (running) => {
        await started(running);
        value(await give(running, asked('tenant.developer', { type: 'engine.pause', name: 'web' })));
      },
      ask: () => asked('tenant.developer', { type: 'engine.resume', name: 'web' }),
    },
  ],
};
