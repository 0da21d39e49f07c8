import type { ApiClient } from '../../console/cli/client.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse, type Refusal, type Result } from '../../protocol/result.js';
import { lastText } from '../engines/last.js';
import { imageOf } from '../images/build.js';
import { readDescription, type Description } from '../images/description.js';
import { sendTo } from '../images/send.js';

interface OnNode {
  readonly value?: Readonly<Record<string, unknown>>;
  readonly trouble?: { readonly code: Refusal['code']; readonly detail?: string };
}

/** One engine on one node, as its developer has it now. */
export interface Put {
  readonly description: Description;
  readonly revision: number;
}

/** Builds what lies in the folder, brings it to the node, and starts it there anew. What fails on the way leaves what runs as it is. */
export async function putOnce(api: ApiClient, file: string, node: string): Promise<Result<Put>> {
  const description = readDescription(file);
  if (!description.ok) return description;
  const image = await imageOf(description.value);
  if (!image.ok) return image;
  const sent = image.value ? await sendTo(api, image.value, [node]) : ok({ digest: '' });
  image.value?.remove();
  if (!sent.ok) return sent;
  const { name, settingsFor, development } = description.value;
  const settings = settingsFor(sent.value.digest, development);
  if (!settings.ok) return settings;
  const path = `/api/v1/engines/${encodeURIComponent(name)}`;
  const put = await only(api, 'PUT', path, { targets: [node], settings: settings.value });
  if (!put.ok) return put;
  const started = await only(api, 'POST', `${path}/${await actFor(api, path, node)}`, { targets: [node] });
  if (!started.ok) return started;
  const revision = Number(put.value['revision']);
  const runs = await awaitRun(api, path, node, revision);
  return runs.ok ? ok({ description: description.value, revision }) : runs;
}

async function actFor(api: ApiClient, path: string, node: string): Promise<'start' | 'restart'> {
  const shown = await show(api, path, node);
  return shown.ok && shown.value['wanted'] !== 'stopped' ? 'restart' : 'start';
}

async function show(
  api: ApiClient,
  path: string,
  node: string,
): Promise<Result<Readonly<Record<string, unknown>>>> {
  return only(api, 'GET', `${path}?targets=${encodeURIComponent(node)}`);
}

/** It runs as it was described last, and goes on to; or it ended by itself, which its log tells more of. */
async function awaitRun(api: ApiClient, path: string, node: string, revision: number): Promise<Result<true>> {
  const end = performance.now() + limits.dev_started_ms_max;
  let restarts: unknown;
  let looks = 0;
  while (performance.now() < end) {
    const shown = await show(api, path, node);
    if (!shown.ok) return shown;
    const { state, runs, restarts: now } = shown.value;
    restarts ??= now;
    // It is tried again by itself, ever more slowly; whoever works on it wants to know at once.
    if (now !== restarts) return refuse('engine-not-well', `it ended by itself: ${lastText(shown.value)}`);
    looks = state === 'running' && (runs === undefined || runs === revision) ? looks + 1 : 0;
    if (looks === 3) return ok(true);
    await new Promise((resolve) => setTimeout(resolve, limits.roll_look_ms));
  }
  return refuse('engine-not-well', 'it did not come to run');
}

async function only(
  api: ApiClient,
  method: string,
  path: string,
  body?: object,
): Promise<Result<Readonly<Record<string, unknown>>>> {
  const answer = await api.call(method, path, body);
  if (!answer.ok) return answer;
  const [first] = answer.value['nodes'] as readonly OnNode[];
  return first?.trouble ? refuse(first.trouble.code, first.trouble.detail) : ok(first?.value ?? {});
}

/** What `dev` put on the node is taken away again. */
export async function takeAway(api: ApiClient, name: string, node: string): Promise<Result<unknown>> {
  return only(
    api,
    'DELETE',
    `/api/v1/engines/${encodeURIComponent(name)}?targets=${encodeURIComponent(node)}`,
  );
}
