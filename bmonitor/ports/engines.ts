import { createHash } from 'node:crypto';
import type { EngineSettings } from '../../protocol/engines.js';
import type { Probe } from '../../protocol/engine-probes.js';
import type { Result } from '../../protocol/result.js';

/**
 * What runs engines: today an OCI runtime, and a virtual machine could stand behind it too.
 *
 * INVARIANTS:
 * - Engines outlive BMonitor: `adopt` finds what an earlier BMonitor started, and does not touch it.
 * - `ended` is told once for each start, also when the end came while nobody looked.
 * - After `forget` nothing of the engine is left on the machine.
 */
export interface EngineRunner {
  /** What runs, and what ended since somebody looked. */
  adopt(): Promise<Result<readonly Adopted[]>>;
  start(order: StartOrder): Promise<Result<RunningEngine>>;
  /** Asks the engine to end, as its image wants to be asked. */
  terminate(id: string): Promise<Result<void>>;
  /** Ends every process of the engine. */
  kill(id: string): Promise<Result<void>>;
  freeze(id: string, frozen: boolean): Promise<Result<void>>;
  /** Gives an engine that runs the secrets of these names as they are now; answers those that changed. */
  renewSecrets(id: string, names: readonly string[]): Promise<Result<readonly string[]>>;
  /** SIGHUP to its first process: what many programs take as a word to read their files again. */
  hangUp(id: string): Promise<void>;
  /** What it may use at most from now on, until it ends. */
  setMemory(id: string, bytes: number): Promise<Result<void>>;
  /** Undefined: it does not run. */
  usage(id: string): Promise<EngineUsage | undefined>;
  /** Removes what an engine wrote. It does not run. */
  forget(lease: string, id: string): Promise<Result<void>>;
  /** The same for all that are not among these: a machine may have lost its power before it came to that. */
  forgetOthers(lease: string, ids: ReadonlySet<string>): Promise<void>;
  onEnd(tell: (id: string, ended: EngineEnd) => void): void;
  /** The kernel ended processes of an engine for its memory, and the engine goes on. */
  onStarved(tell: (id: string, processes: number) => void): void;
  close(): Promise<void>;
}

export interface StartOrder {
  readonly id: string;
  readonly lease: string;
  readonly name: string;
  readonly slot: number;
  readonly round: number;
  readonly layer: number;
  readonly revision: number;
  readonly settings: EngineSettings;
}

export interface RunningEngine {
  readonly id: string;
  readonly lease: string;
  readonly round: number;
  readonly revision: number;
  readonly pid: number;
  /** Wall clock. */
  readonly since_ms: number;
  readonly frozen: boolean;
  /** What it was started with, which the description may not say any more. */
  readonly settings?: EngineSettings;
}

export interface Adopted {
  readonly engine: RunningEngine;
  readonly ended?: EngineEnd;
}

export interface EngineEnd {
  /** What it ended with; 128 and the signal when a signal ended it; absent when nobody saw it. */
  readonly code?: number;
  readonly outOfMemory: boolean;
  /** It wrote more than it may, and was ended for it. */
  readonly outOfDisk?: true;
  /** Wall clock. */
  readonly at_ms: number;
  /** It was ended because it did not work any more. */
  readonly unwell?: { readonly probe: string; readonly why: Ailment; readonly detail: string };
}

/** Why an engine that runs does not do what it should. */
export type Ailment =
  /** It took what was asked and said nothing in time; or its heartbeats stopped. */
  | 'hung'
  | 'wrong-answer'
  /** Nobody there takes what is asked. */
  | 'silent';

/** What a probe found, once. */
export type Probed =
  { readonly well: true } | { readonly well: false; readonly why: Ailment; readonly detail: string };

/** Tries an engine out, as one of its probes says. */
export interface EngineProber {
  probe(id: string, probe: Exclude<Probe, { kind: 'beat' }>, timeout_ms: number): Promise<Probed>;
}

export interface EngineUsage {
  readonly memory_bytes: number;
  /** Of that, what the kernel cannot take back by itself. */
  readonly memory_held_bytes: number;
  /** What it may use at most, which it may have asked for. */
  readonly memory_limit_bytes: number;
  readonly processor_ms: number;
  readonly processes: number;
}

/** Where an engine is in the node's network: behind a routed interface of its own, with one address of each family. */
export interface EngineNetwork {
  readonly interface: string;
  readonly address: string;
  readonly address6: string;
  /** The network of all engines of the node. */
  readonly network: string;
  readonly outsideMac: string;
  readonly insideMac: string;
}

/** A port of the node that leads to an engine. */
export interface EnginePort {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  readonly to: string;
  readonly to6: string;
}

/** An address of the node that leads to one engine alone, and under which it speaks. */
export interface OwnedAddress {
  readonly family: 4 | 6;
  readonly address: string;
  readonly to: string;
}

/** What is heard of an engine over its own socket. */
export interface EngineVoice {
  /** It was started anew: what was said before is of another run. */
  begin(id: string): void;
  beat(id: string): void;
  error(id: string, text: string): void;
  /** What it may know of its own description. */
  config(id: string): Readonly<Record<string, unknown>> | undefined;
}

/** Asks a thread or process of an engine that gave its name. A refusal whose data say `late`: it is there, and did not answer in time. */
export interface EngineAsker {
  ask(id: string, of: string, text: string, timeout_ms?: number): Promise<Result<string>>;
}

/** Ways into a running engine for who commands it. What goes through is in records (protocol/records.ts). */
export interface EngineDoors {
  open(id: string, order: DoorOrder): Promise<Result<Door>>;
}

export type DoorOrder =
  | {
      readonly kind: 'exec';
      readonly command: readonly string[];
      readonly env?: Readonly<Record<string, string>>;
      readonly terminal?: { readonly rows: number; readonly columns: number };
    }
  | { readonly kind: 'attach' }
  | { readonly kind: 'connect'; readonly port: number };

export interface Door {
  /** Ends when there is nothing behind it any more. */
  readonly output: AsyncIterable<Uint8Array>;
  /** Resolves when there is room for more; false: it is closed. */
  write(bytes: Uint8Array): Promise<boolean>;
  /** What was begun through it is ended. */
  close(): void;
}

/** What engines wrote, as it was written: each line with its moment, its stream and whether it is whole. */
export interface EngineLogs {
  /** Ends at the end of what there is, or with `follow` when `stop` says so. */
  read(
    engine: { readonly lease: string; readonly id: string },
    options: { readonly since_ms?: number; readonly follow: boolean; readonly stop: () => boolean },
  ): AsyncIterable<Uint8Array>;
}

/** Folders of a lease that engines mount, and that outlive them. */
export interface EngineFolders {
  list(lease: string): Promise<Result<readonly KeptFolder[]>>;
  /** With all that is in it; `digest` is that of its name. Nothing is wrong when it is not there. */
  remove(lease: string, digest: string): Promise<Result<void>>;
}

/** By what a folder is known where its name must not stand. */
export function folderDigest(lease: string, name: string): string {
  return createHash('sha256').update(`folder ${lease} ${name}`).digest('base64url');
}

export interface KeptFolder {
  readonly name: string;
  readonly bytes: number;
}

/** Images at rest, each lease's own. */
export interface ImageStore {
  take(
    lease: string,
    source: { readonly form: 'oci-archive' | 'plain-archive'; readonly bytes: AsyncIterable<Uint8Array> },
    expected?: string,
  ): Promise<Result<StoredImage>>;
  list(lease: string): Promise<Result<readonly StoredImage[]>>;
  has(lease: string, digest: string): Promise<boolean>;
  /** Removes images that are not among these and were not used for a while. */
  keepOnly(lease: string, digests: ReadonlySet<string>): Promise<void>;
}

export interface StoredImage {
  readonly digest: string;
  readonly bytes: number;
  readonly files: number;
  readonly stored_s: number;
}
