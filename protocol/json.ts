import { limits } from './limits.js';
import { ok, refuse, type Result } from './result.js';

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * JSON as we take it from others: valid UTF-8, no member twice (JSON.parse silently takes the last one, another reader the
 * first), and not nested so deep that it could exhaust a stack.
 */
export function parseJson(bytes: Uint8Array | string): Result<unknown> {
  let text: string;
  let value: unknown;
  try {
    text = typeof bytes === 'string' ? bytes : strictUtf8.decode(bytes);
  } catch {
    return refuse('bad-input', 'not valid UTF-8');
  }
  const fault = scan(text);
  if (fault) return refuse('bad-input', fault);
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('bad-input', 'not valid JSON');
  }
  return ok(value);
}

/** Undefined when no object has a member twice and the nesting is bounded. Text that is not JSON is left to JSON.parse. */
function scan(text: string): string | undefined {
  // One entry a level of nesting: the members of an object, or null for an array.
  const open: (Set<string> | null)[] = [];
  let expectsMember = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === 0x22) {
      const end = endOfString(text, at);
      const members = open.at(-1);
      if (expectsMember && members) {
        const name = unescape(text.slice(at, end + 1));
        if (members.has(name)) return `the member ${name} stands twice in one object`;
        members.add(name);
        expectsMember = false;
      }
      at = end;
    } else if (char === 0x7b || char === 0x5b) {
      if (open.length >= limits.json_depth_max) return `nested deeper than ${limits.json_depth_max}`;
      open.push(char === 0x7b ? new Set() : null);
      expectsMember = char === 0x7b;
    } else if (char === 0x7d || char === 0x5d) {
      open.pop();
      expectsMember = false;
    } else if (char === 0x2c) {
      expectsMember = open.at(-1) instanceof Set;
    }
  }
  return undefined;
}

function endOfString(text: string, start: number): number {
  let at = start;
  for (;;) {
    at = text.indexOf('"', at + 1);
    if (at === -1) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes += 1;
    if (backslashes % 2 === 0) return at;
  }
}

/** `"a"` and `"\u0061"` are the same member. */
function unescape(quoted: string): string {
  if (!quoted.includes('\\')) return quoted;
  try {
    return JSON.stringify(JSON.parse(quoted));
  } catch {
    return quoted;
  }
}
