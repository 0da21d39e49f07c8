import { request } from 'node:http';
import { expect, type Check } from '../check.js';
import { pageLink, type ConsoleHandle } from '../facility.js';

async function titleOf(socketPath: string): Promise<string> {
  const body = await new Promise<string>((resolve, reject) => {
    const sent = request({ socketPath, path: '/', headers: { host: '127.0.0.1' } }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(text));
    });
    sent.on('error', reject);
    sent.end();
  });
  return /<title>([^<]*)</.exec(body)?.[1] ?? body.slice(0, 200);
}

function servesPage(of: string, which: (facility: Parameters<Check['run']>[0]) => ConsoleHandle): Check {
  return {
    name: `the page of ${of} is served, and a link lets its owner in`,
    async run(facility) {
      const it = which(facility);
      const title = await titleOf(facility.relays.get(it) ?? '');
      expect(title.includes(it.program), () => `the title "${title}"`);
      const link = await pageLink(it);
      expect(/^http:\/\/127\.0\.0\.1:\d+\//m.test(link), () => link);
    },
  };
}

export const pageChecks: readonly Check[] = [
  servesPage('console-cluster', (facility) => facility.cluster),
  servesPage('console-app at alder', (facility) => facility.app('alder')),
  servesPage('console-app at birch', (facility) => facility.app('birch')),
];
