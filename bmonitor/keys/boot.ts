import { makePair, type Pair } from '../../crypto/rsa.js';
import type { Secret } from '../../crypto/secret.js';
import type { Signer } from '../../crypto/signer.js';
import { openShare, signBoot } from '../../protocol/unlock.js';

/**
 * The pair B of one start of the node: made when it is first asked for, only in memory, gone with the process. Shares are sealed to it, so that
 * one that was recorded opens nothing after this start, not even with everything that is on the disk and in the TPM.
 */
export class BootKey {
  readonly boot: string;
  #pair: Promise<Pair> | undefined;

  readonly #make: () => Promise<Pair>;

  constructor(boot: string, make: () => Promise<Pair> = makePair) {
    this.boot = boot;
    this.#make = make;
  }

  async statement(identity: Signer): Promise<string> {
    return signBoot(identity, this.boot, await this.#made());
  }

  /** Undefined when it is not a share for this K, sealed to this start. */
  async open(jwe: string, key: string): Promise<Secret | undefined> {
    const opened = this.#pair && openShare(await this.#pair, jwe);
    if (opened?.key === key) return opened.share;
    opened?.share.wipe();
    return undefined;
  }

  /** Something else that is sealed to this start. Undefined: nobody ever asked for the pair, or it is not sealed to it. */
  async openWith<T>(open: (pair: Pair) => T | undefined): Promise<T | undefined> {
    return this.#pair && open(await this.#pair);
  }

  #made(): Promise<Pair> {
    return (this.#pair ??= this.#make());
  }
}
