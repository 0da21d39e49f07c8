import type { Pair, PublicKey } from '../../crypto/rsa.js';
import type { MessageChannel } from '../../protocol/channel.js';
import type { Log } from '../../protocol/log.js';
import type { Addressee } from '../../protocol/request.js';
import type { Result } from '../../protocol/result.js';
import type { Seats } from './seats.js';
import type { Clocks } from './session.js';
import type { Patience } from './state.js';

/** What a link to a node is made with. */
export interface LinkOptions {
  /** Thumbprint of the node's identity key. */
  readonly node: string;
  /** The identity key itself, as it was pinned: without it, notices are passed over. */
  readonly identity?: PublicKey;
  readonly to: Addressee;
  readonly pair: Pair;
  readonly clocks: Clocks;
  readonly chance: () => number;
  readonly patience: Patience;
  /** How often the status is asked for while nothing else is heard. */
  readonly ask_ms: number;
  /** Resolves when it is this link's turn to dial. */
  readonly dialTurn?: () => Promise<void>;
  /** The longest wait between two dials; absent, as for a few nodes. */
  readonly again_ms_max?: number;
  /** Taken before a conversation begins, which costs private keys, and given back when it has. */
  readonly seats?: Seats;
  readonly keyBits?: number | undefined;
  readonly log: Log;
  /** One of the ways to the node: straight, or through a gateway. */
  connect(): Promise<Result<MessageChannel>>;
  /** Told whenever what is known has changed. */
  onChange(): void;
}
