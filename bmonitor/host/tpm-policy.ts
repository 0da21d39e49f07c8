import { createHash } from 'node:crypto';

/**
 * The digests of policies as the TPM 2.0 library computes them (part 3, the commands of these names), so that a policy can be made for
 * registers as they will stand and not only as they stand.
 */
const none = Buffer.alloc(32);
const sha256Algorithm = Buffer.from([0x00, 0x0b]);

function code(command: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(command);
  return bytes;
}

function digest(...parts: readonly Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

/** `values` is the digest over the values of the registers, in their order. */
export function policyPcr(pcrs: readonly number[], values: Uint8Array): Buffer {
  const chosen = Buffer.alloc(3);
  for (const pcr of pcrs) chosen.writeUInt8(chosen.readUInt8(pcr >> 3) | (1 << (pcr & 7)), pcr >> 3);
  const selection = Buffer.concat([Buffer.from([0, 0, 0, 1]), sha256Algorithm, Buffer.from([3]), chosen]);
  return digest(none, code(0x17f), selection, values);
}

export function policyOr(one: Uint8Array, other: Uint8Array): Buffer {
  return digest(none, code(0x171), one, other);
}

/** Whoever shows a signature of the key with this name over the session's nonce. */
export function policySigned(keyName: Uint8Array): Buffer {
  return digest(digest(none, code(0x160), keyName));
}

/** A policy as it stands in an index, from where other policies take it. */
export function policyInIndex(policy: Uint8Array): Buffer {
  return Buffer.concat([sha256Algorithm, policy]);
}
