import { expect } from 'chai';
import { missesDuringChanges } from '../../../../bmonitor/ports/kernel-version.js';

describe('kernels whose look-ups can miss entries during a change', () => {
  const answers: Readonly<Record<string, boolean>> = {
    '6.18.44-fc-v669': false,
    '6.17.0': false,
    '7.0.1': false,
    '6.16.8-1-amd64': false,
    '6.16.7': true,
    '6.16.0': true,
    '6.12.48+deb13-amd64': false,
    '6.12.47': true,
    '6.15.9': true,
    '6.1.0-18-amd64': true,
    '5.10.0': true,
    'not a version': true,
  };
  for (const [release, missing] of Object.entries(answers))
    it(`${missing ? 'warns of' : 'is content with'} ${release}`, () => {
      expect(missesDuringChanges(release)).to.equal(missing);
    });
});
