import { isErrorCode } from '../../protocol/errors/index.js';
import { parseJson } from '../../protocol/json.js';
import { limits } from '../../protocol/limits.js';
import { object, opaqueObject, optional, text } from '../../protocol/parse.js';
import { ok, refuse, type Result } from '../../protocol/result.js';

/** Why the other side ended a stream; without a reason, because we asked it to. */
const endForm = object({
  end: optional(text({ max: 64 })),
  detail: optional(text({ min: 0, max: limits.tool_words_max })),
  done: optional(opaqueObject),
});
interface StreamEnd {
  readonly end: Result<true>;
  readonly done?: Readonly<Record<string, unknown>>;
}

export function endOf(plaintext: Uint8Array): StreamEnd {
  if (plaintext.length === 0) return { end: ok(true) };
  const json = parseJson(plaintext);
  const said = json.ok ? endForm(json.value, '') : json;
  if (!said.ok) return { end: refuse('stream-tampered', 'the end of the stream says nothing known') };
  const { end: code, detail, done } = said.value;
  if (code === undefined) return { end: ok(true), ...(done ? { done } : {}) };
  return { end: isErrorCode(code) ? refuse(code, detail) : refuse('unknown-refusal', code) };
}
