/** TCP as Linux's connection tracking follows it: the same states, the same table. Windows are not looked at. */
const states = ['NO', 'SS', 'SR', 'ES', 'FW', 'CW', 'LA', 'TW', 'CL', 'S2'] as const;
export type TcpState = (typeof states)[number];
/** `IV`: the packet belongs to no connection. `IG`: it does, and changes nothing. */
type Outcome = TcpState | 'IV' | 'IG';

const fin = 1;
const syn = 2;
const rst = 4;
const ack = 16;

const kinds = ['syn', 'synack', 'fin', 'ack', 'rst', 'none'] as const;
type Kind = (typeof kinds)[number];

function table(text: string): Readonly<Record<Kind, readonly Outcome[]>> {
  const rows = text
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/u) as Outcome[]);
  const [a = [], b = [], c = [], d = [], e = [], f = []] = rows;
  return { syn: a, synack: b, fin: c, ack: d, rst: e, none: f };
}

/** Columns: NO SS SR ES FW CW LA TW CL S2 (none, SYN sent, SYN received, established, FIN wait, ..., SYN from both). */
const original = table(`
  SS SS IG IG IG IG IG SS SS S2
  IV IV SR IV IV IV IV IV IV SR
  IV IV FW FW LA LA LA TW CL IV
  ES IV ES ES CW CW TW TW CL IV
  IV CL CL CL CL CL CL CL CL CL
  IV IV IV IV IV IV IV IV IV IV
`);
const reply = table(`
  IV S2 IG IG IG IG IG SS IG SS
  IV SR IG IG IG IG IG IG IG SR
  IV IV FW FW LA LA LA TW CL IV
  IV IG SR ES CW CW TW TW CL IG
  IV CL CL CL CL CL CL CL CL CL
  IV IV IV IV IV IV IV IV IV IV
`);

function kindOf(flags: number): Kind {
  if ((flags & rst) !== 0) return 'rst';
  if ((flags & syn) !== 0) return (flags & ack) !== 0 ? 'synack' : 'syn';
  if ((flags & fin) !== 0) return 'fin';
  return (flags & ack) !== 0 ? 'ack' : 'none';
}

const pushAndCongestion = 8 | 64 | 128;
const urgent = 32;
/** All other combinations are no TCP to the kernel, whatever connection they seem to belong to. */
const possible: ReadonlySet<number> = new Set([
  syn,
  syn | urgent,
  syn | ack,
  rst,
  rst | ack,
  fin | ack,
  fin | ack | urgent,
  ack,
  ack | urgent,
]);

export function isPossible(flags: number): boolean {
  return possible.has(flags & ~pushAndCongestion);
}

/** The kernel takes it for the middle of a connection whose beginning it missed, and follows that from here on. */
export function isPickedUp(flags: number): boolean {
  return isPossible(flags) && kindOf(flags) === 'ack';
}

/**
 * The starter acknowledges what the other side, of which nothing was seen yet, cannot have sent: the kernel takes that for no part of the
 * connection. Of windows this is the only look.
 */
export function acknowledgesNothing(
  state: TcpState,
  { flags, acknowledges }: { readonly flags: number; readonly acknowledges: number },
): boolean {
  if ((flags & ack) === 0 || acknowledges === 0 || acknowledges > 2 ** 31) return false;
  return !(state === 'CL' && (flags & rst) !== 0);
}

export function isStart(flags: number): boolean {
  return (flags & (fin | syn | rst | ack)) === syn;
}

/** `again`: the connection is over and this packet starts another one. */
export function follow(state: TcpState, flags: number, isReply: boolean): TcpState | 'invalid' | 'again' {
  if (!isPossible(flags)) return 'invalid';
  const kind = kindOf(flags);
  const outcome = (isReply ? reply : original)[kind][states.indexOf(state)] ?? 'IV';
  if (outcome === 'IV') return 'invalid';
  if (outcome === 'IG') return state;
  if (outcome === 'SS' && (state === 'TW' || state === 'CL')) return 'again';
  return outcome;
}

/** Seconds for which a connection is remembered: the kernel's defaults. */
export const tcpSeconds = {
  NO: 10,
  SS: 120,
  SR: 60,
  ES: 432_000,
  FW: 120,
  CW: 60,
  LA: 30,
  TW: 120,
  CL: 10,
  S2: 120,
} as const satisfies Record<TcpState, number>;
