import { expect } from 'chai';
import { makePair } from '../../../crypto/rsa.js';
import { limits } from '../../../protocol/limits.js';
import { formatEnvelope, formatHello } from '../../../protocol/wire.js';
import { altered, craft } from '../../fakes/craft.js';
import { until } from '../../fakes/until.js';
import { makeKit, MemoryChannel, type Kit } from './service-kit.js';

describe('before the first operation with a private key', () => {
  let kit: Kit;
  let sources = 0;
  before(async () => {
    kit = await makeKit();
  });
  after(() => kit.remove());

  const request = () =>
    craft(kit.landlord, kit.to, { type: 'status' }, { boot: kit.boot, nonce: kit.nonce() });
  const connect = (source = `source-${(sources += 1)}`): MemoryChannel => {
    const channel = new MemoryChannel(source);
    kit.service.serve(channel);
    return channel;
  };
  /** Says it, waits for the answer, and tells how many operations it cost. */
  const costOf = async (message: string | Uint8Array, code: string): Promise<number> => {
    const channel = connect();
    const before = kit.gate.operations;
    await channel.tell(message);
    await until(() => channel.said.length > 0);
    expect(String(channel.said[0]).slice(0, 200)).to.include(`"code":"${code}"`);
    channel.close('done');
    return kit.gate.operations - before;
  };

  it('an honest request costs one', async () => {
    const channel = connect();
    const before = kit.gate.operations;
    await channel.tell(formatEnvelope('R1', (await request()).text));
    await until(() => String(channel.said[0] ?? '').startsWith('P1 '));
    expect(kit.gate.operations - before).to.equal(1);
  });

  it('what is cut, too large or not of the form is refused', async () => {
    const { text } = await request();
    const wire = formatEnvelope('R1', text);
    expect(await costOf(wire.slice(0, -1), 'cut')).to.equal(0);
    expect(await costOf('R2 1 a', 'malformed')).to.equal(0);
    expect(await costOf(formatEnvelope('R1', altered(text, 0)), 'malformed')).to.equal(0);
    expect(await costOf(formatEnvelope('R1', `${text}=`), 'malformed')).to.equal(0);
    const long = text + 'A'.repeat(limits.envelope_chars_max);
    expect(await costOf(formatEnvelope('R1', long), 'too-large')).to.equal(0);
    expect(await costOf(Buffer.alloc(100), 'stream-ended')).to.equal(0);
  });

  it('what is sealed to another node is refused', async () => {
    const other = await makePair(2048);
    const { text } = await craft(
      kit.landlord,
      { ...kit.to, key: other.public },
      { type: 'status' },
      { boot: kit.boot },
    );
    expect(await costOf(formatEnvelope('R1', text), 'wrong-node')).to.equal(0);
  });

  it('what came before is refused', async () => {
    const { text } = await request();
    const channel = connect();
    await channel.tell(formatEnvelope('R1', text));
    await until(() => channel.said.length > 0);
    expect(await costOf(formatEnvelope('R1', text), 'replayed')).to.equal(0);
  });

  it('an encrypted key of another length than the modulus is refused without OpenSSL seeing it', async () => {
    const { text } = await request();
    const [header, key = '', ...rest] = text.split('.');
    const shorter = Buffer.from(key, 'base64url').subarray(1).toString('base64url');
    expect(
      await costOf(formatEnvelope('R1', [header, shorter, ...rest].join('.')), 'cannot-open'),
    ).to.be.most(1);
  });

  it('a source that spent its budget is refused, with what of it waits', async () => {
    const stranger = await makePair(2048);
    const { text } = await craft(stranger, kit.to, { type: 'status' }, { boot: kit.boot });
    const wire = formatEnvelope('R1', text);
    const source = 'a flood';
    const channels = Array.from({ length: 40 }, () => connect(source));
    const before = kit.gate.operations;
    await Promise.all(channels.flatMap((channel) => Array.from({ length: 10 }, () => channel.tell(wire))));
    await until(() => channels.every((channel) => channel.said.length >= 10 || channel.closed !== undefined));
    // A fault is counted when the turn has passed on already, to as many as run at once.
    const most = limits.source_faults_max + 2 * limits.private_operations_at_once_max;
    expect(kit.gate.operations - before).to.be.most(most);
    const said = channels.flatMap((channel) => channel.said).join('\n');
    expect(said).to.include('"code":"too-many"').and.to.include('"retryAfter":');
    // Others are not concerned.
    const honest = connect();
    await honest.tell(formatEnvelope('R1', (await request()).text));
    await until(() => String(honest.said[0] ?? '').startsWith('P1 '));
  });

  it('more bytes than one source may hold are refused', async () => {
    const { text } = await request();
    const [header, key, iv, , tag] = text.split('.');
    const large = [header, key, iv, 'A'.repeat(20 * 1024 * 1024), tag].join('.');
    const source = 'a heavy one';
    const channels = Array.from({ length: 5 }, () => connect(source));
    await Promise.all(channels.map((channel) => channel.tell(formatEnvelope('R1', large))));
    await until(() => channels.every((channel) => channel.said.length > 0));
    const codes = channels.map((channel) => /"code":"([a-z-]+)"/.exec(String(channel.said[0]))?.[1]);
    expect(codes).to.include('too-many');
  });

  it('connections of one source have a budget of their own, because each handshake costs one', () => {
    const admitted = Array.from({ length: 2 * limits.source_connections_burst_max }, () =>
      kit.gate.admitsConnection('a caller'),
    ).filter((yes) => yes).length;
    expect(admitted).to.be.least(limits.source_connections_burst_max);
    expect(admitted).to.be.below(2 * limits.source_connections_burst_max);
    expect(kit.gate.admitsConnection('another caller')).to.equal(true);
  });

  it('a connection on which no console proves itself is closed in time, and a proven one is not', async () => {
    const [silent, honest] = [connect(), connect()];
    await silent.tell(formatHello());
    await honest.tell(formatEnvelope('R1', (await request()).text));
    await until(() => String(honest.said[0] ?? '').startsWith('P1 '));
    kit.service.closeUnproven();
    expect(silent.closed).to.equal(undefined);
    kit.pass(2 * limits.unproven_connection_ms_max);
    kit.service.closeUnproven();
    expect(silent.closed).to.equal('no console proved itself');
    expect(honest.closed).to.equal(undefined);
  });

  it('a hello costs none', async () => {
    const channel = connect();
    const before = kit.gate.operations;
    await channel.tell(formatHello());
    expect(String(channel.said[0])).to.match(/^H1 /);
    expect(kit.gate.operations).to.equal(before);
  });
});
