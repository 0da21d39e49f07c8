import { expect } from 'chai';
import { digestOf } from '../../../crypto/bytes.js';
import { sign, utf8 } from '../../../crypto/jose.js';
import { makePair, type Pair } from '../../../crypto/rsa.js';
import { checkpointTyp, historyIn, verifyHistory, type Trust } from '../../../protocol/history.js';
import { newId, requestTyp } from '../../../protocol/request.js';
import { refusalIn, value } from '../../fakes/results.js';

describe('an exported history', () => {
  let identity: Pair;
  let desk: Pair;
  let laptop: Pair;
  let lines: string[];
  const lease = newId();
  before(async () => {
    [identity, desk, laptop] = await Promise.all([makePair(2048), makePair(2048), makePair(2048)]);
    lines = await made(6);
  });

  /** A history in which the first console enrolls the second, which speaks from then on. */
  async function made(count: number, name = 'web'): Promise<string[]> {
    const result: string[] = [];
    for (let seq = 1; seq <= count; seq += 1) {
      const by = seq <= 2 ? desk : laptop;
      const command =
        seq === 2
          ? {
              type: 'consoles.add',
              console: { key: laptop.public.jwk, name: 'laptop', role: 'administrator' },
            }
          : { type: 'node.rename', name: `${name}-${seq}` };
      const jti = newId();
      const statement = await sign(
        by.private,
        { typ: requestTyp.statement, kid: by.public.id },
        utf8(JSON.stringify({ jti, level: 0, command })),
      );
      result.push(
        JSON.stringify({
          v: 1,
          node: identity.public.id,
          level: 0,
          lease,
          seq,
          previous: seq === 1 ? 'A'.repeat(43) : digestOf(result[seq - 2] ?? ''),
          time: seq,
          by: { level: 0, console: by.public.id },
          jti,
          command: command.type,
          sees: 'statement',
          statement,
        }),
      );
    }
    return result;
  }

  const trust = (more: Partial<Trust> = {}): Trust => ({
    identity: identity.public,
    consoles: [desk.public],
    seen: [],
    ...more,
  });
  const checkpointFor = (line: string, seq: number, by: Pair = identity) =>
    sign(
      by.private,
      { typ: checkpointTyp, kid: by.public.id },
      utf8(JSON.stringify({ v: 1, level: 0, lease, seq, digest: digestOf(line), time: 9 })),
    );
  const codeOf = async (changed: readonly string[], more: Partial<Trust> = {}): Promise<string> =>
    refusalIn(await verifyHistory({ lines: changed }, trust(more))).code;

  it('holds when nothing was done to it, with the keys of consoles that it enrolls itself', async () => {
    const checkpoint = await checkpointFor(lines[5] ?? '', 6);
    const exported = value(historyIn([...lines, checkpoint, ''].join('\n')));
    const found = value(await verifyHistory(exported, trust()));
    expect(found).to.deep.include({ first: 1, statements: { good: 6, signerUnknown: 0 } });
    expect(found.checkpoint?.seq).to.equal(6);
  });

  it('is read as pages of `history.read` too', async () => {
    const checkpoint = await checkpointFor(lines[5] ?? '', 6);
    const pages = [
      JSON.stringify({ first: 1, from: 1, lines: lines.slice(0, 3) }),
      JSON.stringify({ first: 1, from: 4, lines: lines.slice(3), checkpoint }),
    ].join('\n');
    expect(value(historyIn(pages))).to.deep.equal({ lines, checkpoint });
  });

  it('holds when its beginning was trimmed', async () => {
    const found = value(await verifyHistory({ lines: lines.slice(2) }, trust()));
    expect(found).to.deep.include({ first: 3, statements: { good: 0, signerUnknown: 4 } });
  });

  it('shows every line that was changed, taken out, put in or moved', async () => {
    for (let at = 0; at < lines.length - 1; at += 1) {
      const changed = lines.with(at, (lines[at] ?? '').replace(/"time":\d+/, '"time":77'));
      expect(await codeOf(changed), `changed ${at}`).to.equal('history-broken');
      const twice = lines.toSpliced(at, 0, lines[at] ?? '');
      expect(await codeOf(twice), `doubled ${at}`).to.equal('history-broken');
      if (at > 0) expect(await codeOf(lines.toSpliced(at, 1)), `without ${at}`).to.equal('history-broken');
      const swapped = lines.with(at, lines[at + 1] ?? '').with(at + 1, lines[at] ?? '');
      expect(await codeOf(swapped), `swapped ${at}`).to.equal('history-broken');
    }
  });

  it('shows a statement that is not by the console it names, or says something else', async () => {
    const relinked = (change: (entry: Record<string, unknown>) => object): string[] => {
      const last = JSON.parse(lines[5] ?? '') as Record<string, unknown>;
      return [...lines.slice(0, 5), JSON.stringify({ ...last, ...change(last) })];
    };
    expect(await codeOf(relinked(() => ({ command: 'quarantine' })))).to.equal('history-broken');
    expect(await codeOf(relinked(() => ({ jti: newId() })))).to.equal('history-broken');
    expect(await codeOf(relinked(() => ({ by: { level: 0, console: desk.public.id } })))).to.equal(
      'history-broken',
    );
    expect(await codeOf(relinked(() => ({ by: { level: 1, console: laptop.public.id } })))).to.equal(
      'history-broken',
    );
    expect(
      await codeOf(relinked((it) => ({ statement: `${String(it['statement']).slice(0, -4)}AAAA` }))),
    ).to.equal('history-broken');
  });

  it('tells of the first line that is wrong, though signatures are verified side by side', async () => {
    const many = await made(70);
    const wrong = (line: string): string => line.replace(/"statement":"([^"]+).{4}"/, '"statement":"$1AAAA"');
    // The chain is mended behind the false signature, so that only the signature tells; and it breaks again further on.
    const relinked: string[] = [];
    for (const [at, line] of many.entries()) {
      const entry = JSON.parse(at === 40 ? wrong(line) : line) as Record<string, unknown>;
      const before = relinked.at(-1);
      relinked.push(JSON.stringify({ ...entry, ...(before ? { previous: digestOf(before) } : {}) }));
    }
    const broken = relinked.toSpliced(50, 1);
    expect(refusalIn(await verifyHistory({ lines: broken }, trust()))).to.include({
      code: 'history-broken',
      where: 'line 41',
    });
    expect(refusalIn(await verifyHistory({ lines: many.toSpliced(50, 1) }, trust())).where).to.equal(
      'line 51',
    );
    const told: number[] = [];
    const line = ({ seq }: { readonly seq: number }): void => void told.push(seq);
    expect(value(await verifyHistory({ lines: many }, trust({ line }))).statements.good).to.equal(70);
    expect(told).to.deep.equal(many.map((_, at) => at + 1));
  });

  it('shows that its end is missing: by the checkpoint, by a head, by an earlier export', async () => {
    const checkpoint = await checkpointFor(lines[5] ?? '', 6);
    const cut = { lines: lines.slice(0, 4), checkpoint };
    expect(refusalIn(await verifyHistory(cut, trust())).code).to.equal('history-incomplete');
    const seen = [{ seq: 6, digest: digestOf(lines[5] ?? '') }];
    expect(await codeOf(lines.slice(0, 4), { seen })).to.equal('history-incomplete');
  });

  it('shows a fork: a history that was rewritten whole, against any head that was seen of the other', async () => {
    const other = await made(8, 'other');
    const seen = [{ seq: 6, digest: digestOf(lines[5] ?? '') }];
    expect(await codeOf(other, { seen })).to.equal('history-fork');
    const checkpoint = await checkpointFor(lines[5] ?? '', 6);
    const forked = { lines: other, checkpoint };
    expect(refusalIn(await verifyHistory(forked, trust())).code).to.equal('history-fork');
    expect(value(await verifyHistory({ lines }, trust({ seen }))).head.seq).to.equal(6);
  });

  it('counts only with the node that one pinned oneself', async () => {
    const other = await makePair(2048);
    expect(await codeOf(lines, { identity: other.public })).to.equal('history-broken');
    const checkpoint = await checkpointFor(lines[5] ?? '', 6, other);
    expect(refusalIn(await verifyHistory({ lines, checkpoint }, trust())).code).to.equal('bad-signature');
  });
});
