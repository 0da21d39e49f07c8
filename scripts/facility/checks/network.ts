import { expect, type Check } from '../check.js';

export const networkChecks: readonly Check[] = [
  {
    name: 'both offices reach the console of the facility through the router',
    async run({ bed }) {
      for (const customer of ['alder', 'birch']) {
        const outcome = await bed.office(customer).ping(bed.console.ipv4, { patience_ms: 5000 });
        expect(outcome === 'answered', () => `${customer}: ${outcome}`);
      }
    },
  },
];
