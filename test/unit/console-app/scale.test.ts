import { expect } from 'chai';
import { choose } from '../../../console-app/engines/choose.js';
import { placesOn } from '../../../console-app/engines/places.js';
import { Scalings, type Scaling } from '../../../console-app/engines/scale.js';
import type { NodeBook } from '../../../console/nodes/book.js';
import type { Command } from '../../../protocol/commands.js';
import { silentLog } from '../../../protocol/log.js';
import { ok, refuse, type Result } from '../../../protocol/result.js';
import { value } from '../../fakes/results.js';
import { until } from '../../fakes/until.js';

const image = `sha256:${'1'.repeat(64)}`;
type Ill = 'refuses to start' | 'ends at once' | 'is not removed';

/** What a console meets on several nodes, with one engine each at most. */
class Fleet {
  readonly done: string[] = [];
  readonly #engines = new Map<string, { wanted: string; revision: number; settings: unknown }>();

  constructor(
    readonly nodes: readonly string[],
    readonly ill: Readonly<Record<string, readonly Ill[]>> = {},
  ) {
    this.#engines.set(nodes[0] ?? '', { wanted: 'running', revision: 1, settings: { image, memory_mb: 32 } });
  }

  get running(): readonly string[] {
    return this.nodes.filter((node) => this.#engines.get(node)?.wanted === 'running');
  }

  get book(): NodeBook {
    const request = (node: string, command: Command): Promise<Result<{ result?: object }>> => {
      const answer = this.#answer(node, command);
      return Promise.resolve(answer.ok ? ok({ result: answer.value }) : answer);
    };
    return { request } as unknown as NodeBook;
  }

  #answer(node: string, command: Command): Result<object> {
    const engine = this.#engines.get(node);
    const ills = this.ill[node] ?? [];
    if (!command.type.endsWith('.read')) this.done.push(`${node} ${command.type}`);
    if (command.type === 'engines.read') return ok({ engines: [], memory: { all_mb: 1000, left_mb: 900 } });
    if (command.type === 'images.read') return ok({ images: [{ digest: image }] });
    if (command.type === 'engine.put') {
      this.#engines.set(node, {
        wanted: 'stopped',
        revision: (engine?.revision ?? 0) + 1,
        settings: command.settings,
      });
      return ok({});
    }
    if (!engine) return refuse('engine-unknown');
    if (command.type === 'engine.read') {
      const state = engine.wanted === 'running' && ills.includes('ends at once') ? 'waiting' : engine.wanted;
      return ok({ name: 'web', state, restarts: 0, runs: engine.revision, ...engine });
    }
    if (command.type === 'engine.start' && ills.includes('refuses to start')) return refuse('port-in-use');
    if (command.type === 'engine.remove' && ills.includes('is not removed')) return refuse('unreachable');
    if (command.type === 'engine.remove') this.#engines.delete(node);
    else engine.wanted = command.type === 'engine.start' ? 'running' : 'stopped';
    return ok({});
  }
}

async function scaled(fleet: Fleet, wanted: number, remove = false): Promise<Scaling> {
  const scalings = new Scalings({ book: fleet.book, log: silentLog, steady: () => performance.now() });
  const plan = value(choose('web', await placesOn(fleet.book, fleet.nodes, 'web'), wanted, { bring: false }));
  const times = { well_ms: 0, bound_ms: 300 };
  const { id } = value(scalings.begin({ engine: 'web', plan, atOnce: 1, ...times, remove }));
  await until(() => value(scalings.get(id)).state !== 'scaling');
  return value(scalings.get(id));
}
const states = ({ steps }: Scaling): readonly string[] => steps.map(({ node, state }) => `${node} ${state}`);

describe('an engine that is to run on more nodes or fewer', () => {
  it('is described and started where it was chosen, and nothing is said to the others', async () => {
    const fleet = new Fleet(['a', 'b', 'c', 'd']);
    const done = await scaled(fleet, 3);
    expect(done.state).to.equal('done');
    expect(fleet.done).to.deep.equal(['b engine.put', 'b engine.start', 'c engine.put', 'c engine.start']);
  });

  it('goes to the next best node when one does not take it, and leaves nothing on that one', async () => {
    const fleet = new Fleet(['a', 'b', 'c', 'd'], { b: ['refuses to start'] });
    const done = await scaled(fleet, 2);
    expect([done.state, ...states(done)]).to.deep.equal(['done', 'b passed', 'c well']);
    expect(fleet.done).to.include('b engine.remove');
    expect(fleet.running).to.deep.equal(['a', 'c']);
  });

  it('says that it is short when no other node is left, and what runs well stays', async () => {
    const ill = { b: ['refuses to start'], d: ['refuses to start'] } as const;
    const fleet = new Fleet(['a', 'b', 'c', 'd'], ill);
    const done = await scaled(fleet, 3);
    expect([done.state, fleet.running]).to.deep.equal(['short', ['a', 'c']]);
  });

  it('is gone again from all to which it was added when it does not run well on one of them', async () => {
    const fleet = new Fleet(['a', 'b', 'c', 'd'], { c: ['ends at once'] });
    const done = await scaled(fleet, 4);
    expect([done.state, ...states(done)]).to.deep.equal([
      'returned',
      'b returned',
      'c returned',
      'd waiting',
    ]);
    expect(fleet.running).to.deep.equal(['a']);
  });

  it('is stuck, and says where, when a node does not give it back', async () => {
    const fleet = new Fleet(['a', 'b', 'c'], { b: ['is not removed'], c: ['ends at once'] });
    const done = await scaled(fleet, 3);
    expect([done.state, ...states(done)]).to.deep.equal(['stuck', 'b not-returned', 'c returned']);
  });

  it('ends where it is taken away, and is removed only when that was said', async () => {
    const fleet = new Fleet(['a', 'b']);
    await scaled(fleet, 2);
    const fewer = await scaled(fleet, 1);
    expect([fewer.state, ...states(fewer)]).to.deep.equal(['done', 'b ended']);
    expect(states(await scaled(fleet, 2))).to.deep.equal(['b well']);
    expect(states(await scaled(fleet, 0, true))).to.deep.equal(['b removed', 'a removed']);
  });
});
