import { whole } from '../../protocol/parse.js';
import type { BookEvent, KnownNode, NodeBook } from '../nodes/book.js';
import type { HeldLeases } from './take.js';

const seconds = whole({ min: 0, max: 32_503_680_000 });

/** What a node says of the lease that this console holds there. Only what came under its seal or its signature is in here. */
export interface LeaseNews {
  readonly lease: string;
  /** The node signed that it is over. */
  readonly over: boolean;
  /** When it ends, as the node says: the landlord may have moved that. */
  readonly until?: number;
}

export function newsOf({
  card,
  status,
  notices = [],
}: Pick<KnownNode, 'card' | 'status' | 'notices'>): LeaseNews {
  const over = notices.some(({ kind, fields }) => kind === 'lease.ended' && fields['lease'] === card.lease);
  const until = status?.['lease'] === card.lease ? seconds(status['until'], 'until') : undefined;
  return { lease: card.lease, over, ...(until?.ok ? { until: until.value } : {}) };
}

/** Keeps what is remembered of the leases that this console holds in step with what their nodes say. Stops when the answer is called. */
export function followLeases(book: Pick<NodeBook, 'listen'>, leases: HeldLeases): () => void {
  const told = new Map<string, string>();
  return book.listen((event: BookEvent) => {
    if (event.type !== 'nodes') return;
    for (const known of event.nodes) {
      const news = newsOf(known);
      const text = JSON.stringify(news);
      if (told.get(news.lease) === text) continue;
      told.set(news.lease, text);
      void leases.learn(news);
    }
  });
}
