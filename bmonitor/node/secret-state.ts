/** A secret that a level gave its engines: which there is. What it is rests in the journal alone, and is never part of the state. */
export interface KeptSecret {
  readonly id: string;
  readonly revision: number;
  /** Rests under the data key, with the secret. Absent while that is locked. */
  readonly described?: { readonly name: string; readonly bytes: number; readonly set_s: number };
}

/** As it stands in the root. */
export function undescribedSecret({ id, revision }: KeptSecret): KeptSecret {
  return { id, revision };
}
