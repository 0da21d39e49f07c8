import { families, type NormalFilter, type PeerRange, type ServiceRange } from './model.js';

/** Does the filter share a point with one of the others? Whatever is asked of those alone depends on no filter that does not. */
export function meets(filter: NormalFilter, others: readonly NormalFilter[]): boolean {
  return others.some((other) => meet(filter, other));
}

function meet(a: NormalFilter, b: NormalFilter): boolean {
  if (!a.directions.some((direction) => b.directions.includes(direction))) return false;
  return families.some(
    (family) =>
      servicesMeet(a.services[family], b.services[family]) &&
      a.peers.some((peer) => peer.family === family && peersMeet(peer, b.peers)),
  );
}

function peersMeet(peer: PeerRange, others: readonly PeerRange[]): boolean {
  return others.some((other) => peer.family === other.family && peer.lo <= other.hi && other.lo <= peer.hi);
}

function servicesMeet(a: readonly ServiceRange[], b: readonly ServiceRange[]): boolean {
  return a.some((one) => b.some((other) => one.lo <= other.hi && other.lo <= one.hi));
}
