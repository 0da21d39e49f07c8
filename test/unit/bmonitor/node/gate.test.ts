import { expect } from 'chai';
import { Gate } from '../../../../bmonitor/node/gate.js';
import { ok } from '../../../../protocol/result.js';

describe('the turns in which sources get private operations', () => {
  /** Who was served, in order, when all of these wait at once behind one that is under way. */
  async function order(...sources: readonly string[]): Promise<readonly string[]> {
    const served: string[] = [];
    const gate = new Gate(
      () => 0,
      (then) => setImmediate(then),
    );
    const work = (name: string) => async () => (served.push(name), ok(undefined));
    await Promise.all(['first', ...sources].map((name) => gate.inTurn(name, 1, work(name))));
    return served.slice(1);
  }

  it('go round the sources, so that one that sends much waits for itself', async () => {
    expect(await order('a', 'a', 'a', 'b')).to.deep.equal(['a', 'b', 'a', 'a']);
  });

  it('go to a gateway as to one source, whatever it calls its consoles', async () => {
    const invented = Array.from({ length: 5 }, (_, at) => `gateway ${at}`);
    expect(await order(...invented, 'a', 'a')).to.deep.equal([
      'gateway 0',
      'a',
      'gateway 1',
      'a',
      'gateway 2',
      'gateway 3',
      'gateway 4',
    ]);
  });

  it('go round the consoles of a gateway too', async () => {
    const both = await order('gateway 0', 'gateway 0', 'gateway 0', 'gateway 1', 'a');
    expect(both).to.deep.equal(['gateway 0', 'a', 'gateway 1', 'gateway 0', 'gateway 0']);
  });
});
