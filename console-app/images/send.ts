import type { ApiClient } from '../../console/cli/client.js';
import { ok, refuse, type Result } from '../../protocol/result.js';
import type { Archive } from './archive.js';

interface Sent {
  readonly node: string;
  readonly value?: { readonly digest?: unknown };
  readonly trouble?: { readonly code: string; readonly detail?: string };
}

/** Brings an archive to all of these nodes, through the daemon. */
export async function sendTo(
  api: ApiClient,
  { path, form }: Pick<Archive, 'path' | 'form'>,
  targets: readonly string[],
): Promise<Result<{ readonly digest: string; readonly nodes: number }>> {
  const sent = await api.call('POST', '/api/v1/images', { targets, path, form });
  if (!sent.ok) return sent;
  const nodes = sent.value['nodes'] as readonly Sent[];
  for (const { node, trouble } of nodes)
    if (trouble)
      return refuse(
        'unreachable',
        `${node} did not take the image: ${trouble.code} ${trouble.detail ?? ''}`.trim(),
      );
  const digests = [...new Set(nodes.map(({ value }) => String(value?.digest)))];
  return digests.length === 1
    ? ok({ digest: digests[0] ?? '', nodes: nodes.length })
    : refuse('bad-input', `the nodes give it different digests: ${digests.join(' ')}`);
}
