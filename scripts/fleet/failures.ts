/** What a simulated node can be made to do wrong. */
export const failureKinds = {
  silence: 'holds the connection and says nothing any more',
  late: 'answers and beats so much later: late:5%:8s',
  lie: 'says of itself what is not so: another name, other addresses, a heartbeat of tomorrow',
  claim: 'says that it has the address of the next node, one of everybody and one of nobody',
  rubbish: 'sends frames and messages that nobody can read',
  flood: 'tells as many events as the connection takes',
  slow: 'takes in one message and then none for so long: slow:5%:2s',
  away: 'hangs up, and refuses connections until the failure is over',
  flap: 'hangs up every so often, all of them at once, and may be dialled again at once: flap:100%:5s',
} as const;
export type FailureKind = keyof typeof failureKinds;

export interface Failure {
  readonly kind: FailureKind;
  /** Of all nodes, between 0 and 1. */
  readonly share: number;
  readonly by_ms: number;
  readonly from_ms: number;
  readonly until_ms: number;
}

const usual_ms = 2000;
const pattern =
  /^([a-z]+)(?::([0-9]+(?:\.[0-9]+)?)(%?))?(?::([0-9]+(?:ms|s|m)))?(?:@([0-9]+(?:ms|s|m))(?:-([0-9]+(?:ms|s|m)))?)?$/;

export function duration_ms(text: string): number | undefined {
  const match = /^([0-9]+)(ms|s|m)$/.exec(text);
  if (!match) return undefined;
  const unit = { ms: 1, s: 1000, m: 60_000 }[match[2] ?? ''] ?? 1;
  return Number(match[1]) * unit;
}

/** KIND[:HOW-MANY[%]][:DURATION][@FROM[-UNTIL]], a count being of nodes. Undefined: it is none. */
export function parseFailure(text: string, nodes: number): Failure | undefined {
  const match = pattern.exec(text);
  const kind = (Object.keys(failureKinds) as FailureKind[]).find((known) => known === match?.[1]);
  if (!match || !kind) return undefined;
  const [, , many, percent, by, from, until] = match;
  const share = many === undefined ? 1 : percent === '%' ? Number(many) / 100 : Number(many) / nodes;
  if (share > 1) return undefined;
  const from_ms = duration_ms(from ?? '0s') ?? 0;
  const until_ms = until === undefined ? Infinity : (duration_ms(until) ?? 0);
  if (until_ms <= from_ms) return undefined;
  return { kind, share, by_ms: duration_ms(by ?? '') ?? usual_ms, from_ms, until_ms };
}

/** Which nodes: every so many-th, the same ones each time, beginning at another place for each kind. */
export function concerns({ kind, share }: Failure, index: number, nodes: number): boolean {
  const count = Math.round(share * nodes);
  const place = (index + Object.keys(failureKinds).indexOf(kind)) % nodes;
  return Math.floor(((place + 1) * count) / nodes) > Math.floor((place * count) / nodes);
}
