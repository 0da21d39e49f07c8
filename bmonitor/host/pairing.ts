import { randomBytes } from 'node:crypto';
import { makePair, type PublicKey } from '../../crypto/rsa.js';
import { signerOf, type Signer } from '../../crypto/signer.js';
import type { Hardware } from '../../protocol/hardware.js';
import { limits } from '../../protocol/limits.js';
import type { NodeCard } from '../../protocol/node-card.js';
import {
  codesOf,
  commitmentOf,
  freshNonce,
  revealedKey,
  type PairingCodes,
} from '../../protocol/pairing/codes.js';
import {
  acceptedClaims,
  acceptedTyp,
  adoptedTyp,
  type AcceptedClaims,
  type Hello,
} from '../../protocol/pairing/messages.js';
import { readStatement, signStatement } from '../../protocol/pairing/statement.js';
import { PairingTalk } from '../../protocol/pairing/talk.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { dial, socketChannel } from '../../protocol/socket.js';

export interface PairingOptions {
  readonly url: string;
  readonly pin?: string;
  readonly keyBits: number;
  /** What the machine says of itself. Nobody takes it for proved. */
  readonly about: Pick<Hello, 'name' | 'version' | 'hardware'>;
  /** The console knows of the machine; now somebody has to begin there. */
  readonly waiting: () => void;
}

/** Both sides have revealed; what is left is up to people. */
export interface Meeting {
  readonly codes: PairingCodes;
  readonly console: PublicKey;
  /** What the console says once the machine's code was typed there. */
  accepted(): Promise<Result<{ readonly claims: AcceptedClaims; readonly jws: string }>>;
  /** The node is made: its card goes to the console, which answers when it is in. */
  adopted(card: NodeCard, hardware: Hardware): Promise<Result<void>>;
  refuse(why: Refusal): void;
  /** Resolves when the other side ends it. */
  readonly ended: Promise<Refusal>;
}

/**
 * Waits at a console until somebody there begins, and exchanges keys: each side commits first and reveals then. One exchange for each call:
 * whoever wants another try does something at this machine again.
 */
export async function meet(options: PairingOptions): Promise<Result<Meeting>> {
  // Made for this one pairing and gone with the process: the node's own keys are made when it is over.
  const signer = signerOf(await makePair(options.keyBits));
  const socket = await dial({
    url: options.url,
    timeout_ms: limits.dial_ms_max,
    payload_bytes_max: limits.pairing_message_chars_max,
    ...(options.pin === undefined ? { provedLater: true } : { pin: options.pin }),
  });
  if (!socket.ok) return socket;
  const talk = new PairingTalk(socketChannel(socket.value, options.url));
  const ended = new Promise<Refusal>((resolve) => (talk.onEnd = resolve));
  socket.value.resume();
  const own = { key: signer.public.jwk, nonce: freshNonce(randomBytes(32)) };
  talk.send('hello', { v: 1, commit: commitmentOf('machine', own), ...options.about });
  options.waiting();
  const commit = await talk.next('commit');
  if (!commit.ok) return commit;
  const late = setTimeout(
    () => talk.refuse({ code: 'pairing-ended', detail: 'too late' }),
    limits.pairing_ms_max,
  );
  void ended.then(() => clearTimeout(late));
  talk.send('reveal', own);
  const theirs = await talk.next('reveal');
  if (!theirs.ok) return theirs;
  const console = revealedKey('console', commit.value.commit, theirs.value);
  if (!console.ok) {
    talk.refuse(console.refusal);
    return console;
  }
  return ok(meetingOf(talk, signer, console.value, codesOf(own, theirs.value), ended));
}

function meetingOf(
  talk: PairingTalk,
  signer: Signer,
  console: PublicKey,
  codes: PairingCodes,
  ended: Promise<Refusal>,
): Meeting {
  const { transcript } = codes;
  return {
    codes,
    console,
    ended,
    refuse: (why) => talk.refuse(why),
    async accepted() {
      const message = await talk.next('accepted');
      if (!message.ok) return message;
      const { jws } = message.value;
      const expected = { typ: acceptedTyp, key: console, transcript, form: acceptedClaims };
      const claims = await readStatement(jws, expected);
      if (claims.ok) return ok({ claims: claims.value, jws });
      talk.refuse(claims.refusal);
      return refuse(claims.refusal.code, claims.refusal.detail);
    },
    async adopted(card, hardware) {
      const claims = { v: 1, transcript, card, hardware };
      talk.send('adopted', { jws: await signStatement(signer, adoptedTyp, claims) });
      const done = await talk.next('done');
      talk.close();
      return done.ok ? ok(undefined) : done;
    },
  };
}
