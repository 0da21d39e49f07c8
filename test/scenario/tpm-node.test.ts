import { cp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { identityOf } from '../../protocol/node-card.js';
import { verifyReceipt } from '../../protocol/receipt.js';
import type { Notice } from '../../protocol/notice.js';
import type { Result } from '../../protocol/result.js';
import { value } from '../fakes/results.js';
import { SoftwareTpm } from '../fakes/swtpm.js';
import { until } from '../fakes/until.js';
import { NodeProcess } from './node-process.js';
import { rent } from './tenancy.js';

describe('a node whose secrets rest in a TPM', function () {
  this.timeout(180_000);
  let tpm: SoftwareTpm;
  let node: NodeProcess;
  beforeEach(async () => {
    tpm = await SoftwareTpm.make();
    node = await NodeProcess.make({ init: ['--keys', 'tpm', '--tpm', tpm.tcti, '--pcr', '0', '4', '7'] });
    await node.start();
  });
  afterEach(async () => {
    await node.remove();
    await tpm.remove();
  });

  /** Ends a lease and waits until the node has said so unasked; gives the receipt, and what it said. */
  async function endLease(lease: string): Promise<{ readonly receipt: string; readonly notice: Notice }> {
    const heard: Result<Notice>[] = [];
    const identity = value(identityOf(node.card));
    const session = await node.session(undefined, undefined, { identity, take: (it) => void heard.push(it) });
    const ended = value(await session.request({ command: { type: 'lease.end', lease }, to: node.to }));
    const told = (it: Result<Notice>): it is Result<Notice> & { ok: true } =>
      it.ok && it.value.happened.some(({ kind }) => kind === 'lease.ended');
    await until(() => heard.some(told));
    session.close('done');
    const [receipt = ''] = (ended.result as { receipts: readonly string[] }).receipts;
    const notice = heard.find(told);
    if (!notice) throw new Error('it was heard');
    return { receipt, notice: notice.value };
  }

  const startsNot = async (): Promise<boolean> =>
    node.start().then(
      () => false,
      () => true,
    );

  it('does not start from a copy of the disk that is older than the end of a lease, which it told with a notice signed in the TPM', async () => {
    const { lease } = await rent(node);
    await node.kill();
    const old = join(node.folder, 'old');
    await cp(join(node.dir, 'store'), old, { recursive: true });
    await node.start();
    const ended = await endLease(lease);
    const receipt = value(await verifyReceipt(ended.receipt, value(identityOf(node.card))));
    expect(receipt).to.include({ act: 'end', keyStore: 'tpm', lease });
    expect(ended.notice).to.include({ keyStore: 'tpm', to: node.landlord.public.id, level: 0 });
    expect(ended.notice.happened.at(-1)?.fields).to.deep.include({ lease, reason: 'ended' });
    await node.kill();
    await rename(join(node.dir, 'store'), join(node.folder, 'now'));
    await cp(old, join(node.dir, 'store'), { recursive: true });
    expect(await startsNot()).to.equal(true);
    await rm(join(node.dir, 'store'), { recursive: true });
    await rename(join(node.folder, 'now'), join(node.dir, 'store'));
    await node.start();
  });

  it('is bound to firmware, boot loader, kernel and BMonitor unless told otherwise', async () => {
    const usual = await NodeProcess.make({ init: ['--keys', 'tpm', '--tpm', tpm.tcti] });
    try {
      await usual.start();
      await usual.kill();
      await tpm.measure(13);
      expect(
        await usual.start().then(
          () => 'it started',
          () => 'dark',
        ),
      ).to.equal('dark');
    } finally {
      await usual.remove();
    }
  });

  it('does not start when something else was measured', async () => {
    await node.kill();
    await tpm.measure(4);
    expect(await startsNot()).to.equal(true);
  });

  it('does not start once the TPM was cleared', async () => {
    await node.kill();
    await tpm.clear();
    expect(await startsNot()).to.equal(true);
  });
});
