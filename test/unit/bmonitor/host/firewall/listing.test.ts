import { expect } from 'chai';
import { onlyOurs } from '../../../../../bmonitor/host/firewall/listing.js';

describe('a listing of all rules', () => {
  it('is read where the tables are ours, and nowhere else', () => {
    const theirs = (name: string): string => `table inet ${name} {\n\tchain input {\n\t\taccept\n\t}\n}\n`;
    const ours = 'table inet bmonitor {\n\tchain known {\n\t\taccept\n\t}\n}\n';
    const latch = 'table inet bmonitor_latch { # progname nft\n\tflags owner\n}\n';
    const text = onlyOurs([theirs('filter'), ours, theirs('bmonitor2'), latch, theirs('x')].join('\n'));
    expect(text).to.include('chain known').and.include('flags owner');
    expect(text).to.not.include('chain input');
  });
});
