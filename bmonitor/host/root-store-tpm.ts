import { randomBytes } from 'node:crypto';
import { readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { fromB64u, toB64u } from '../../crypto/bytes.js';
import { utf8 } from '../../crypto/jose.js';
import { Secret } from '../../crypto/secret.js';
import { parseJson } from '../../protocol/json.js';
import { messageOf } from '../../protocol/log.js';
import { ok, refuse, type Refused, type Result } from '../../protocol/result.js';
import type { Measured, Rooted, RootSecrets, RootStore } from '../ports/root-store.js';
import { ApprovalIndex, measurementOf, policyIn } from './tpm-approval.js';
import { makeIdentity, TpmSigner } from './tpm-identity.js';
import { placeForm, policyOf, textOf, tpmPlace, type Place } from './tpm-place.js';
import { policyPcr } from './tpm-policy.js';
import { ReadySessions } from './tpm-ready.js';
import {
  endSession,
  flushObjects,
  policyFromIndex,
  registersNow,
  showMeasured,
  startSession,
  withMeasuredSession,
  withSession,
} from './tpm-session.js';
import { contentOf, fileAt, scratchFile, TpmTools } from './tpm-tools.js';
import { writeWhole } from './write-whole.js';

const secretBytes = 32;
/** No password guards it, and power cuts count as guesses: without `noda` a few of them in a row would lock the node out of its TPM. */
const saltKeyAttributes = 'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda';
export interface TpmOptions {
  readonly tcti: string;
  readonly pcrs: readonly number[];
}

/**
 * The root sealed to a TPM 2.0, G in an index of its non-volatile memory, and N made in it, all bound to what the machine measured when
 * it started. How it must measure stands in one more index, so that an approved update moves all of them in one write.
 *
 * INVARIANTS:
 * - No secret is in an argument, an environment or a file with a name; on the bus it is encrypted under a salted session.
 * - None of them can be had with a password: only with the policy over the registers.
 * - The file names an approved measurement before the TPM accepts it, so that a crash in between leaves nothing that cannot be opened.
 */
export class TpmRootStore implements RootStore {
  readonly kind = 'tpm';
  readonly tools: TpmTools;
  readonly #path: string;
  readonly #pcrs: readonly number[];
  readonly #sessions: ReadySessions;
  #place: Place | undefined;
  /** The present registers, and the index of the policy with its writer. */
  #present: { readonly digest: Buffer; readonly approvals: ApprovalIndex } | undefined;

  constructor(folder: string, options: TpmOptions) {
    this.tools = new TpmTools(options.tcti);
    this.#path = join(folder, 'root.tpm');
    this.#pcrs = options.pcrs;
    const { tools } = this;
    this.#sessions = new ReadySessions(tools, {
      start: () => startSession(tools, this.#loaded(), 'policy'),
      prove: (session) => showMeasured(tools, tpmPlace(this.#loaded()), session),
      end: (session) => endSession(tools, session),
    });
  }

  async exists(): Promise<boolean> {
    return (await this.#read()).ok;
  }

  create(identityBits: number): Promise<Result<Rooted>> {
    return this.tools.inTurn(async () => {
      const secrets = {
        root: Secret.take(randomBytes(secretBytes)),
        g: Secret.take(randomBytes(secretBytes)),
      };
      try {
        const place = await this.#make(secrets, identityBits);
        if (!place.ok) return place;
        const rooted = await this.#withIdentity(place.value, secrets, false);
        if (!rooted.ok) return rooted;
        // A TPM may pad otherwise than PS256 says: better known now than at the first receipt.
        const tried = await rooted.value.identity.trySignature(utf8('a try'));
        if (!tried.ok) return tried;
        await this.#keep(place.value);
        return rooted;
      } catch (error) {
        return refuse('tpm-failed', messageOf(error));
      }
    });
  }

  load(): Promise<Result<Rooted>> {
    return this.tools.inTurn(async () => {
      const read = await this.#read();
      if (!read.ok) return read;
      const same = await this.#sameKey(read.value);
      if (!same.ok) return same;
      const registers = await registersNow(this.tools, this.#pcrs);
      if (!registers.ok) return registers;
      const digest = measurementOf(registers.value);
      const inForce = await this.#policyInForce(read.value, digest);
      if (!inForce.ok) return inForce;
      const place = inForce.value;
      // One session shows the registers for the root, for G, and for the new G that every start writes: starting one costs most.
      this.#place = place;
      const root = await this.#unseal(place);
      if (!root.ok)
        return this.#notLoaded(root.refusal.code === 'tpm-measured-otherwise' ? otherwise(digest) : root);
      const g = await this.#sessions.use((session) =>
        this.tools.run(
          'tpm2_nvread',
          [place.index, '-C', place.index, '-P', `session:${fileAt(0)}`, '-s', String(secretBytes)],
          { files: [session] },
        ),
      );
      if (!g.ok) return this.#notLoaded(g);
      if (root.value.length !== secretBytes || g.value.length !== secretBytes)
        return refuse('tpm-not-the-same', 'the TPM gave secrets of another length');
      this.#present = {
        digest,
        approvals: new ApprovalIndex(this.tools, place.saltKey, root.value),
      };
      const asApproved = place.either?.[1] === toB64u(digest);
      return this.#withIdentity(place, { root: root.value, g: g.value }, asApproved);
    });
  }

  /** Nothing was given: no session of ours stays in the TPM. */
  async #notLoaded(refused: Result<never>): Promise<Result<never>> {
    await this.#sessions.giveBack();
    this.#place = undefined;
    return refused;
  }

  replaceG(next: Secret): Promise<Result<void>> {
    const place = this.#loaded();
    return this.tools.inTurn(() => this.#sessions.use((session) => this.#writeG(place, session, next)));
  }

  async close(): Promise<void> {
    await this.#sessions.close();
    await this.tools.inTurn(() => this.tools.clear());
  }

  #loaded(): Place {
    if (!this.#place) throw new Error('the TPM is used after the root was loaded');
    return this.#place;
  }

  allow(next: string | undefined): Promise<Result<void>> {
    const [place, present] = [this.#loaded(), this.#present];
    if (!present) throw new Error('the registers were read');
    const now = toB64u(present.digest);
    const either = next === undefined || next === now ? undefined : [now, next];
    if (either?.join() === place.either?.join()) return Promise.resolve(ok(undefined));
    return this.tools.inTurn(async () => {
      const { either: _, ...rest } = place;
      const wider: Place = either ? { ...rest, either } : rest;
      // While both are there the file must name them; before and after, the policy of the present alone is tried too.
      if (either) await writeWhole(this.#path, textOf(wider));
      const written = await present.approvals.write(place.approval, policyOf(wider, present.digest));
      if (!written.ok) return written;
      await this.#keep(wider);
      return ok(undefined);
    });
  }

  async #keep(place: Place): Promise<void> {
    await writeWhole(this.#path, textOf(place));
    this.#place = place;
  }

  /** Which policy stands in the TPM: that of the present registers, or that of these and approved ones. */
  async #policyInForce(place: Place, present: Buffer): Promise<Result<Place>> {
    // Nothing else was ever approved: the TPM itself says whether the present registers are as they were, when they are shown.
    if (!place.either) return ok(place);
    const standing = await policyIn(this.tools, place);
    if (!standing.ok) return standing;
    const { either: _, ...alone } = place;
    const approved = place.either.includes(toB64u(present));
    for (const candidate of approved ? [alone, place] : [alone])
      if (policyOf(candidate, present).equals(standing.value)) return ok(candidate);
    return otherwise(present);
  }

  async #withIdentity(place: Place, secrets: RootSecrets, asApproved: boolean) {
    this.#place = place;
    const present = this.#present;
    if (!present) throw new Error('the registers were read');
    const identity = await TpmSigner.load(this.tools, place.saltKey, place.identity, (work) =>
      this.#sessions.use(work),
    );
    if (!identity.ok) return identity;
    const measured: Measured = { digest: toB64u(present.digest), asApproved };
    const quote = (about: Uint8Array): ReturnType<TpmSigner['quote']> =>
      identity.value.quote(this.#pcrs, about);
    return ok({ ...secrets, identity: identity.value, measured, quote });
  }

  async #writeG({ index }: Pick<Place, 'index'>, session: FileHandle, g: Secret): Promise<Result<void>> {
    // One write command of the TPM, which is whole or not at all.
    const written = await this.tools.run(
      'tpm2_nvwrite',
      ['-Q', index, '-C', index, '-P', `session:${fileAt(0)}`, '-i', '-'],
      { files: [session], stdin: g },
    );
    return written.ok ? ok(undefined) : written;
  }

  async #make(secrets: RootSecrets, identityBits: number): Promise<Result<Place>> {
    const saltKey = await this.#makeSaltKey();
    if (!saltKey.ok) return saltKey;
    const registers = await registersNow(this.tools, this.#pcrs);
    if (!registers.ok) return registers;
    const digest = measurementOf(registers.value);
    const approvals = new ApprovalIndex(this.tools, saltKey.value.handle, secrets.root);
    this.#present = { digest, approvals };
    const approval = await approvals.define((take) => this.#firstFree(0x0180_0000, take));
    if (!approval.ok) return approval;
    const inForce = await approvals.write(approval.value, policyPcr(this.#pcrs, digest));
    if (!inForce.ok) return inForce;
    const policy = await policyFromIndex(this.tools, approval.value);
    if (!policy.ok) return policy;
    const bound = await scratchFile();
    try {
      await bound.write(policy.value, 0, policy.value.length, 0);
      const index = await this.#defineIndex(bound);
      if (!index.ok) return index;
      const sealed = await this.#seal(saltKey.value.handle, bound, secrets.root);
      if (!sealed.ok) return sealed;
      const identity = await makeIdentity(this.tools, saltKey.value.handle, bound, identityBits);
      if (!identity.ok) return identity;
      const place: Place = {
        v: 1,
        kind: 'tpm-root',
        saltKey: saltKey.value.handle,
        saltKeyName: saltKey.value.name,
        index: index.value,
        approval: approval.value,
        pcrs: this.#pcrs,
        identity: identity.value,
        ...sealed.value,
      };
      const written = await withMeasuredSession(this.tools, tpmPlace(place), (session) =>
        this.#writeG(place, session, secrets.g),
      );
      return written.ok ? ok(place) : written;
    } finally {
      await bound.close();
    }
  }

  async #makeSaltKey(): Promise<Result<{ handle: string; name: string }>> {
    const context = await scratchFile();
    const files = [context];
    try {
      const made = await this.tools.run(
        'tpm2_createprimary',
        ['-Q', '-C', 'o', '-g', 'sha256', '-G', 'ecc256', '-a', saltKeyAttributes, '-c', fileAt(0)],
        { files },
      );
      if (!made.ok) return made;
      const kept = await this.#firstFree(0x8101_0000, (at) =>
        this.tools.run('tpm2_evictcontrol', ['-Q', '-C', 'o', '-c', fileAt(0), at], { files }),
      );
      if (!kept.ok) return kept;
      const name = await this.#nameOf(kept.value);
      return name.ok ? ok({ handle: kept.value, name: name.value }) : name;
    } finally {
      await flushObjects(this.tools);
      await context.close();
    }
  }

  async #defineIndex(policy: FileHandle): Promise<Result<string>> {
    const attributes = 'policyread|policywrite|no_da';
    return this.#firstFree(0x0180_0000, (at) =>
      this.tools.run(
        'tpm2_nvdefine',
        ['-Q', at, '-C', 'o', '-s', String(secretBytes), '-L', fileAt(0), '-a', attributes],
        { files: [policy] },
      ),
    );
  }

  /** Handles are chosen by chance, so that several nodes can share a TPM while trying things out. */
  async #firstFree(base: number, take: (at: string) => Promise<Result<Secret>>): Promise<Result<string>> {
    let last: Result<Secret> = refuse('tpm-failed', 'no handle was tried');
    for (let attempt = 0; attempt < 8; attempt += 1) {
      const at = `0x${(base + randomBytes(2).readUInt16BE()).toString(16).padStart(8, '0')}`;
      last = await take(at);
      if (last.ok) return ok(at);
    }
    return last;
  }

  async #seal(
    saltKey: string,
    policy: FileHandle,
    root: Secret,
  ): Promise<Result<Pick<Place, 'public' | 'private'>>> {
    const [publicFile, privateFile] = [await scratchFile(), await scratchFile()];
    try {
      const attributes = 'fixedtpm|fixedparent|noda';
      const made = await withSession(this.tools, saltKey, 'plain', (session) =>
        this.tools.run(
          'tpm2_create',
          // What is sealed comes through standard input.
          `-Q -C ${saltKey} -S ${fileAt(0)} -L ${fileAt(1)} -a ${attributes} -i - -u ${fileAt(2)} -r ${fileAt(3)}`.split(
            ' ',
          ),
          { files: [session, policy, publicFile, privateFile], stdin: root },
        ),
      );
      if (!made.ok) return made;
      return ok({
        public: toB64u(await contentOf(publicFile)),
        private: toB64u(await contentOf(privateFile)),
      });
    } finally {
      await flushObjects(this.tools);
      await publicFile.close();
      await privateFile.close();
    }
  }

  async #unseal(place: Place): Promise<Result<Secret>> {
    const [publicFile, privateFile, object] = [await scratchFile(), await scratchFile(), await scratchFile()];
    try {
      await publicFile.write(fromB64u(place.public) ?? new Uint8Array(), 0);
      await privateFile.write(fromB64u(place.private) ?? new Uint8Array(), 0);
      const loaded = await this.tools.run(
        'tpm2_load',
        ['-Q', '-C', place.saltKey, '-u', fileAt(0), '-r', fileAt(1), '-c', fileAt(2)],
        { files: [publicFile, privateFile, object] },
      );
      if (!loaded.ok) return loaded;
      return await this.#sessions.use((session) =>
        this.tools.run('tpm2_unseal', ['-c', fileAt(1), '-p', `session:${fileAt(0)}`], {
          files: [session, object],
        }),
      );
    } finally {
      await flushObjects(this.tools);
      for (const file of [publicFile, privateFile, object]) await file.close();
    }
  }

  async #sameKey(place: Place): Promise<Result<void>> {
    const name = await this.#nameOf(place.saltKey);
    if (!name.ok) return name;
    return name.value === place.saltKeyName
      ? ok(undefined)
      : refuse('tpm-not-the-same', `another key stands at ${place.saltKey}`);
  }

  async #nameOf(at: string): Promise<Result<string>> {
    const name = await scratchFile();
    try {
      const read = await this.tools.run('tpm2_readpublic', ['-Q', '-c', at, '-n', fileAt(0)], {
        files: [name],
      });
      return read.ok ? ok((await contentOf(name)).toString('hex')) : read;
    } finally {
      await name.close();
    }
  }

  async #read(): Promise<Result<Place>> {
    try {
      const json = parseJson(await readFile(this.#path));
      return json.ok ? placeForm(json.value, '') : json;
    } catch (error) {
      return refuse('not-initialised', messageOf(error));
    }
  }
}

/** Whoever is told of it can have it approved. */
function otherwise(present: Uint8Array): Refused {
  return refuse('tpm-measured-otherwise', `the registers measure ${toB64u(present)}`);
}
