/** Browsers speak of bytes, the API of base64url. */
function toB64u(buffer: ArrayBuffer): string {
  const text = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join('');
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function fromB64u(text: string): Uint8Array<ArrayBuffer> {
  const plain = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

/** Browsers make passkeys for names only, over TLS or on the machine itself. */
export function passkeysWork(): boolean {
  return isSecureContext && 'credentials' in navigator && !/^[\d.]+$|:/.test(location.hostname);
}

export async function makePasskey(challenge: string, name: string): Promise<object> {
  const made = await navigator.credentials.create({
    publicKey: {
      challenge: fromB64u(challenge),
      rp: { name: 'console-cluster' },
      user: { id: new TextEncoder().encode(name), name, displayName: name },
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: 'public-key', alg })),
      attestation: 'none',
      authenticatorSelection: { residentKey: 'preferred', userVerification: 'preferred' },
    },
  });
  if (!(made instanceof PublicKeyCredential)) throw new Error('No passkey was made.');
  const response = made.response as AuthenticatorAttestationResponse;
  const key = response.getPublicKey();
  if (!key) throw new Error('This browser does not say what key the passkey has.');
  return {
    id: toB64u(made.rawId),
    clientData: toB64u(response.clientDataJSON),
    authenticatorData: toB64u(response.getAuthenticatorData()),
    publicKey: toB64u(key),
    algorithm: response.getPublicKeyAlgorithm(),
  };
}

export async function usePasskey(challenge: string, ids: readonly string[]): Promise<object> {
  const used = await navigator.credentials.get({
    publicKey: {
      challenge: fromB64u(challenge),
      allowCredentials: ids.map((id) => ({ type: 'public-key', id: fromB64u(id) })),
      userVerification: 'preferred',
    },
  });
  if (!(used instanceof PublicKeyCredential)) throw new Error('No passkey was used.');
  const response = used.response as AuthenticatorAssertionResponse;
  return {
    id: toB64u(used.rawId),
    clientData: toB64u(response.clientDataJSON),
    authenticatorData: toB64u(response.authenticatorData),
    signature: toB64u(response.signature),
  };
}
