import { limits } from './limits.js';
import { object, oneOf, optional, text, whole, type Parsed } from './parse.js';
import { secretName } from './engine-secrets.js';
import { refuse, type Result } from './result.js';

/** What an engine says to BMonitor over its own socket, a line each. docs/engine-interface.md tells it to its readers. */
const id = optional(whole({ min: 0, max: Number.MAX_SAFE_INTEGER }));
const words = text({ min: 0, max: limits.engine_words_chars_max });
/** A thread or process that answers questions. */
export const voiceName = text({
  max: 64,
  pattern: /^[A-Za-z0-9._-]+$/,
  form: 'letters, digits, dots, _ and -',
});
export const question = text({ min: 0, max: limits.engine_words_chars_max });

/** Another engine, by its name on this node or among the peers of the settings. */
const peerName = text({
  max: limits.name_chars_max,
  pattern: /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/,
  form: 'the name of an engine',
});

const said = {
  beat: object({ do: oneOf('beat'), id }),
  error: object({ do: oneOf('error'), id, text: words }),
  config: object({ do: oneOf('config'), id }),
  secret: object({ do: oneOf('secret'), id, name: secretName }),
  /** Without `mb` it only asks what it has. */
  memory: object({
    do: oneOf('memory'),
    id,
    mb: optional(whole({ min: 1, max: limits.engine_memory_bytes_max / (1024 * 1024) })),
  }),
  send: object({ do: oneOf('send'), id, to: peerName, text: words }),
  receive: object({ do: oneOf('receive'), id }),
  serve: object({ do: oneOf('serve'), id, name: voiceName }),
  answer: object({ do: oneOf('answer'), id, ask: text({ max: 64 }), text: words }),
} as const;

export type EngineSaid = { [T in keyof typeof said]: Parsed<(typeof said)[T]> }[keyof typeof said];

export function engineSaid(value: unknown): Result<EngineSaid> {
  const kind: unknown = typeof value === 'object' && value !== null && 'do' in value ? value.do : undefined;
  if (typeof kind !== 'string' || !Object.hasOwn(said, kind))
    return refuse('bad-input', `one of ${Object.keys(said).join(', ')}`, { where: 'do' });
  return said[kind as keyof typeof said](value, '');
}
