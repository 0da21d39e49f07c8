import { idText } from './fields.js';
import { object, opaqueObject, optional, whole, type Parsed } from './parse.js';
import { historyHead } from './request.js';

/**
 * What a follower says on the stream of events: how many frames it has taken in, and now and then a question, with a nonce of its own. Both go under
 * the stream's seal, so a question costs neither side a private key, and only the node that was asked can answer it.
 */
export const followerForm = object({
  ack: whole({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  ask: optional(idText),
});

/** The node's answer, one line of the stream: the nonce, where the level's history stands, and what the command `status` would give now. */
export const answerForm = object({ answer: idText, head: historyHead, status: opaqueObject });
export type Answer = Parsed<typeof answerForm>;
