import { roles, type CommandType, type Right, type Role } from '../../protocol/commands.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { authority, type LeaseStatus } from './table.js';

/** Who speaks, as proved by a signature of an enrolled console, with what its level holds just now. */
export interface Speaker {
  readonly level: number;
  readonly role: Role;
  readonly rights: readonly Right[];
  readonly status: LeaseStatus;
  /** The labels to which its key is limited and which its level did not give this node. */
  readonly outOf: readonly string[];
}

/** Roles stand in their list from the one that may most to the one that may least. */
function reaches(role: Role, least: Role): boolean {
  return roles.indexOf(role) <= roles.indexOf(least);
}

/**
 * The one function that says who may do what. `provenNew` is true when the command carries a nonce that the node gave;
 * `loosens` is told by the part that understands the command, after it was parsed and before anything is changed.
 */
export function authorize(
  speaker: Speaker,
  command: CommandType,
  proof: { readonly provenNew: boolean; readonly loosens: boolean },
): Result<void> {
  const grant = authority[command];
  if (speaker.outOf.length > 0)
    return refuse('out-of-scope', `the key is for nodes labelled ${speaker.outOf.join(', ')}`);
  if (grant.levels === 'landlord' && speaker.level !== 0)
    return refuse('not-authorised', `${command} is for the landlord only`);
  if (grant.right !== 'none' && !speaker.rights.includes(grant.right))
    return refuse('right-missing', `${command} needs the right ${grant.right}`);
  if (!reaches(speaker.role, grant.role))
    return refuse('role-too-small', `${command} needs the role ${grant.role}, not ${speaker.role}`);
  if (!grant.when.includes(speaker.status)) return refuseStatus(speaker.status, command);
  if (!proof.provenNew && (grant.nonce === 'always' || (grant.nonce === 'loosens' && proof.loosens)))
    return refuse('nonce-needed', command);
  return ok(undefined);
}

function refuseStatus(status: LeaseStatus, command: CommandType): Result<never> {
  switch (status) {
    case 'granted':
      return refuse('lease-not-taken', command);
    case 'dark':
      return refuse('lease-dark', command);
    case 'active':
      return refuse('lease-taken', command);
  }
}
