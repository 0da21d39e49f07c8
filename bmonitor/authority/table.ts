import type { CommandType, Right, Role } from '../../protocol/commands.js';

/** A level waits for its holder's first act, is in force, or has passed its end and waits for its keys to be destroyed. */
export type LeaseStatus = 'granted' | 'active' | 'dark';

/**
 * One row says everything about who may give a command:
 *
 * - `levels`: `any` level, or only the `landlord` (level 0);
 * - `right`: what the level must hold;
 * - `role`: the least role of the console's key;
 * - `when`: in which states of its lease the level may still, or already, give it;
 * - `nonce`: whether it must be provably new: `always`, or only when it `loosens` something;
 * - `changes`: whether it changes the node, and so is recorded and acts once for an id.
 */
export interface Grant {
  readonly levels: 'any' | 'landlord';
  readonly right: Right | 'none';
  readonly role: Role;
  readonly when: readonly LeaseStatus[];
  readonly nonce: 'never' | 'always' | 'loosens';
  readonly changes: boolean;
}

const active = ['active'] as const;
const activeOrDark = ['active', 'dark'] as const;
const always = ['granted', 'active', 'dark'] as const;

function read(role: Role, when: readonly LeaseStatus[], right: Grant['right'] = 'none'): Grant {
  return { levels: 'any', right, role, when, nonce: 'never', changes: false };
}

function change(more: Partial<Grant>): Grant {
  return {
    levels: 'any',
    right: 'none',
    role: 'administrator',
    when: active,
    nonce: 'always',
    changes: true,
    ...more,
  };
}

/** What a developer may change: the engines, on the nodes where its key is enrolled. What destroys data is provably new. */
function engines(more: Partial<Grant>): Grant {
  return change({ right: 'engines', role: 'developer', nonce: 'never', ...more });
}

/** The one table of authority. A command that is not granted here is refused. */
export const authority: Readonly<Record<CommandType, Grant>> = {
  status: read('developer', always),
  'levels.read': read('developer', always),
  'history.read': read('operator', activeOrDark),
  'keys.read': read('developer', activeOrDark),
  'keys.boot': read('developer', always),
  'keys.blindness': read('developer', activeOrDark),
  'measurement.read': read('developer', activeOrDark),
  'receipts.read': read('developer', activeOrDark),
  'events.follow': read('developer', activeOrDark),
  'health.read': read('developer', activeOrDark, 'hardware'),
  'jobs.read': read('developer', activeOrDark),
  'filters.read': read('developer', activeOrDark),
  'filters.counters': read('developer', activeOrDark, 'boundaries'),
  'filters.probe': read('operator', active, 'boundaries'),
  'engines.read': read('developer', activeOrDark, 'engines'),
  'engine.read': read('developer', activeOrDark, 'engines'),
  'images.read': read('developer', activeOrDark, 'engines'),
  'folders.read': read('developer', activeOrDark, 'engines'),
  'secrets.read': read('developer', activeOrDark, 'engines'),
  // An image that lies there does nothing: the command that names it is what changes the node.
  'image.send': read('developer', active, 'engines'),
  'engine.logs': read('developer', active, 'engines'),
  'engine.ask': read('developer', active, 'engines'),
  'engines.usage': read('developer', activeOrDark),

  'history.trim': change({}),
  'history.verify': change({ role: 'operator', nonce: 'never' }),
  'job.cancel': change({ role: 'operator', nonce: 'never' }),
  'node.rename': change({ levels: 'landlord', right: 'hardware', role: 'operator', nonce: 'never' }),
  'hardware.reboot': change({ right: 'hardware', role: 'operator' }),
  'hardware.power-off': change({ right: 'hardware', role: 'operator' }),
  'hardware.suspend': change({ right: 'hardware', role: 'operator' }),
  'hardware.identify': change({ right: 'hardware', role: 'operator', nonce: 'never' }),
  'node.label': change({}),
  'consoles.add': change({}),
  'consoles.remove': change({}),
  'keys.make': change({ right: 'keys' }),
  'keys.rotate': change({ right: 'keys' }),
  'keys.consent': change({ right: 'keys' }),
  'keys.share': change({ right: 'keys' }),
  'keys.unlock': change({ right: 'keys', role: 'operator' }),
  'measurement.approve': change({}),
  'measurement.withdraw': change({}),
  'node.transfer': change({ levels: 'landlord', right: 'hardware' }),
  'lease.grant': change({ right: 'lease' }),
  'lease.take': change({ when: ['granted'] }),
  'lease.extend': change({ right: 'lease' }),
  'lease.end': change({ when: activeOrDark }),
  'filters.replace': change({ right: 'boundaries', role: 'operator', nonce: 'loosens' }),
  'filters.change': change({ right: 'boundaries', role: 'operator', nonce: 'loosens' }),
  'filters.confirm': change({ right: 'boundaries', role: 'operator', nonce: 'never' }),
  'filters.undo': change({ right: 'boundaries', role: 'operator', nonce: 'loosens' }),
  'engine.put': engines({}),
  'engine.start': engines({}),
  'engine.stop': engines({}),
  'engine.kill': engines({}),
  'engine.restart': engines({}),
  'engine.reload': engines({ nonce: 'always' }),
  'engine.pause': engines({}),
  'engine.resume': engines({}),
  'engine.remove': engines({ nonce: 'always' }),
  'folder.remove': engines({ nonce: 'always' }),
  'secret.set': engines({}),
  'secret.remove': engines({ nonce: 'always' }),
  'engine.exec': engines({}),
  'engine.attach': engines({}),
  'engine.forward': engines({}),
  quarantine: change({ levels: 'landlord', right: 'boundaries', role: 'operator', nonce: 'loosens' }),
  'ways.set': change({ levels: 'landlord', right: 'boundaries' }),
  'ways.confirm': change({ levels: 'landlord', right: 'boundaries', nonce: 'never' }),
};
