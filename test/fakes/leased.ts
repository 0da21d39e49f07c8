import { join } from 'node:path';
import { RealConsole } from './console.js';
import { RealNode } from './real-node.js';
import { until } from './until.js';

export function isGood(console: RealConsole, name: string): boolean {
  const { nodes } = JSON.parse(console.must('nodes', 'list', '--json')) as {
    readonly nodes: readonly { readonly name: string; readonly state: string }[];
  };
  return nodes.find((node) => node.name === name)?.state === 'good';
}

/** A landlord and a customer with a console each, and nodes that the customer leases and took: real processes. */
export class Leased {
  readonly landlord = new RealConsole('console-cluster');
  readonly app = new RealConsole('console-app');
  readonly nodes: RealNode[] = [];
  readonly names: readonly string[];

  constructor(...names: readonly string[]) {
    this.names = names;
  }

  /** `init`: more words for `bmonitor init`. `boundary`: what the landlord lets through, before the lease. */
  async begin(
    options: { readonly init?: readonly string[]; readonly boundary?: object } = {},
  ): Promise<void> {
    const { landlord, app, names } = this;
    for (const it of [landlord, app]) {
      it.init();
      await it.run();
    }
    for (const name of names) {
      const node = await RealNode.make(name, join(landlord.dir, 'console.pub.json'), ...(options.init ?? []));
      this.nodes.push(node);
      await node.run();
      landlord.must('nodes', 'add', node.cardFile);
    }
    for (const name of names) await until(() => isGood(landlord, name));
    if (options.boundary) {
      const boundary = landlord.file('boundary.json', JSON.stringify(options.boundary));
      for (const name of names) landlord.must('filters', 'apply', name, boundary);
    }
    const file = landlord.file('hand-over.json', '');
    const to = ['--customer', 'acme', '--to', join(app.dir, 'console.pub.json')];
    landlord.must('leases', 'grant', ...names, ...to, '--for', '30d', '--out', file);
    app.must('lease', 'take', file);
    for (const name of names) await until(() => isGood(app, name));
  }

  async remove(): Promise<void> {
    for (const it of [this.landlord, this.app]) await it.remove();
    for (const node of this.nodes) await node.remove();
  }
}
