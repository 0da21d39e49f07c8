import { expect } from 'chai';
import { chooseNodes, type Choosable, type NodesQuery } from '../../../console/nodes/list.js';
import type { Beside } from '../../../console/nodes/routes.js';
import { nodeStates } from '../../../console/nodes/state.js';

/** Numbers that come again: a failure is told with what made it. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const labels = [undefined, 'a', 'b', 'ab'];

function facility(below: (most: number) => number): { nodes: Choosable[]; places: Map<string, Beside> } {
  const places = new Map<string, Beside>();
  const nodes = Array.from({ length: below(60) }, (_, index): Choosable => {
    const name = `node-${below(1000)}-${index}`;
    const [room, rack, position] = [labels[below(4)], labels[below(4)], labels[below(4)]];
    if (below(3) > 0)
      places.set(name, {
        place: {
          ...(room === undefined ? {} : { room }),
          ...(rack === undefined ? {} : { rack }),
          ...(position === undefined ? {} : { position }),
          spare: below(2) === 1,
        },
        machine: null,
      });
    return {
      card: { name },
      state: nodeStates[below(nodeStates.length)] ?? 'unknown',
      lastSeen: below(4) === 0 ? undefined : below(5),
    };
  });
  return { nodes, places };
}

function query(below: (most: number) => number): NodesQuery {
  const one = <T>(...of: readonly T[]): T | undefined => of[below(of.length)];
  const said = {
    state: below(2) === 0 ? undefined : nodeStates.filter(() => below(2) === 0),
    name: one(undefined, undefined, '7', 'node', '-1'),
    room: one(undefined, undefined, 'a'),
    rack: one(undefined, undefined, 'ab'),
    spare: one<'yes' | 'no' | undefined>(undefined, 'yes', 'no'),
    sort: one<NodesQuery['sort']>(undefined, 'name', 'state', 'lastSeen', 'place'),
    order: one<NodesQuery['order']>(undefined, 'up', 'down'),
    offset: one(undefined, 0, 3, 50),
    limit: one(undefined, 1, 10, 1000),
  };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)) as NodesQuery;
}

/** The slow way: who belongs before whom is asked for every pair, and whoever has so many before it stands there. */
function obvious(nodes: readonly Choosable[], places: ReadonlyMap<string, Beside>, asked: NodesQuery) {
  const placeOf = (node: Choosable) => places.get(node.card.name)?.place;
  const found = nodes.filter((node) => {
    const place = placeOf(node);
    const wrong = [
      asked.state !== undefined && !asked.state.some((state) => state === node.state),
      asked.name !== undefined && node.card.name.split(asked.name).length < 2,
      asked.room !== undefined && place?.room !== asked.room,
      asked.rack !== undefined && place?.rack !== asked.rack,
      asked.spare === 'yes' && place?.spare !== true,
      asked.spare === 'no' && place?.spare === true,
    ];
    return !wrong.includes(true);
  });
  const partsOf = (node: Choosable): readonly (string | number)[] => {
    const place = placeOf(node);
    if (asked.sort === 'state') return [node.state, node.card.name];
    if (asked.sort === 'lastSeen') return [node.lastSeen ?? 0, node.card.name];
    if (asked.sort === 'place')
      return [place?.room ?? '', place?.rack ?? '', place?.position ?? '', node.card.name];
    return [node.card.name];
  };
  const before = (one: Choosable, other: Choosable): boolean => {
    const [mine, theirs] = [partsOf(one), partsOf(other)];
    const at = mine.findIndex((part, index) => part !== theirs[index]);
    const [a = '', b = ''] = [mine[at], theirs[at]];
    return at !== -1 && (asked.order === 'down' ? a > b : a < b);
  };
  const inOrder: Choosable[] = [];
  for (const node of found) inOrder[found.filter((other) => before(other, node)).length] = node;
  const first = asked.offset ?? 0;
  return {
    total: found.length,
    nodes: inOrder.filter((_, at) => at >= first && at < first + (asked.limit ?? Infinity)),
  };
}

describe('the list of nodes', () => {
  it('is filtered, sorted and cut into pages as the slow and obvious way does it', () => {
    for (let seed = 1; seed <= 2000; seed += 1) {
      const below = numbers(seed);
      const { nodes, places } = facility(below);
      const asked = query(below);
      const fast = chooseNodes(nodes, asked, (name) => places.get(name));
      expect(fast, `seed ${seed}: ${JSON.stringify(asked)}`).to.deep.equal(obvious(nodes, places, asked));
    }
  });

  it('gives every node once over all pages, whatever it is sorted by', () => {
    const below = numbers(7);
    const { nodes, places } = facility((most) => (most === 60 ? 57 : below(most)));
    for (const sort of ['name', 'state', 'lastSeen', 'place'] as const) {
      const pages = Array.from({ length: 8 }, (_, page) =>
        chooseNodes(nodes, { sort, offset: page * 8, limit: 8 }, (name) => places.get(name)),
      );
      const names = pages.flatMap((page) => page.nodes.map(({ card }) => card.name));
      expect(new Set(names).size).to.equal(57);
      expect(names).to.have.length(57);
      expect(pages.map(({ total }) => total)).to.deep.equal(pages.map(() => 57));
    }
  });
});
