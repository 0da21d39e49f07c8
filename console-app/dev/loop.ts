import type { ApiClient } from '../../console/cli/client.js';
import { forward } from '../cli/doors.js';
import type { Refusal, Result } from '../../protocol/result.js';
import { putOnce, takeAway, type Put } from './put.js';
import { FolderWatch } from './watch.js';

export interface DevOptions {
  readonly api: ApiClient;
  /** The description of the engine; its folder is watched. */
  readonly file: string;
  readonly node: string;
  /** The port on this machine that leads to the debugger; 0 lets the system choose. */
  readonly debugPort?: number;
  /** Leave the engine on the node when this ends. */
  readonly keep: boolean;
  readonly closed: AbortSignal;
  readonly say: (event: DevEvent) => void;
}

export type DevEvent =
  | { readonly event: 'changed'; readonly paths: readonly string[] }
  | {
      readonly event: 'running';
      readonly engine: string;
      readonly revision: number;
      readonly took_ms: number;
    }
  | { readonly event: 'failed'; readonly refusal: Refusal }
  | { readonly event: 'debugger'; readonly port: number; readonly inside: number }
  | { readonly event: 'log'; readonly text: string };

/**
 * Build, put on the node, show what it writes; again after every change, until it is closed.
 *
 * INVARIANT: what does not build, or does not come to run, is said, and the next change is waited for: nothing but the person ends this.
 */
export async function develop(options: DevOptions): Promise<void> {
  const { api, node, file, closed, say } = options;
  let now: Put | undefined;
  let logs: AbortController | undefined;
  let debugging: { readonly close: () => void } | undefined;
  const again = async (paths: readonly string[]): Promise<void> => {
    if (paths.length > 0) say({ event: 'changed', paths });
    const began = performance.now();
    const since_ms = Date.now();
    const put = await putOnce(api, file, node);
    const name = put.ok ? put.value.description.name : now?.description.name;
    if (name !== undefined && !closed.aborted && (logs === undefined || name !== now?.description.name)) {
      logs?.abort();
      logs = new AbortController();
      void follow(options, name, since_ms, logs.signal);
    }
    if (!put.ok) return say({ event: 'failed', refusal: put.refusal });
    now = put.value;
    const took_ms = Math.round(performance.now() - began);
    say({ event: 'running', engine: now.description.name, revision: now.revision, took_ms });
    debugging ??= await openDebugger(options, now);
  };
  const watch = new FolderWatch(folderOf(file), again);
  await watch.begin();
  await new Promise<void>((resolve) => {
    if (closed.aborted) resolve();
    closed.addEventListener('abort', () => resolve(), { once: true });
  });
  watch.close();
  logs?.abort();
  debugging?.close();
  if (now && !options.keep) {
    const taken: Result<unknown> = await takeAway(api, now.description.name, node);
    if (!taken.ok) say({ event: 'failed', refusal: taken.refusal });
  }
}

const folderOf = (file: string): string => file.slice(0, Math.max(1, file.lastIndexOf('/')));

async function openDebugger(
  { api, node, debugPort, say }: DevOptions,
  { description }: Put,
): Promise<{ readonly close: () => void } | undefined> {
  const inside = description.development.debug;
  if (inside === undefined) return undefined;
  const opened = await forward(api, node, description.name, debugPort ?? inside, inside);
  if (!opened.ok) {
    say({ event: 'failed', refusal: opened.refusal });
    return undefined;
  }
  say({ event: 'debugger', port: opened.value.port, inside });
  return opened.value;
}

/** The log goes on over restarts of the engine; a connection that is lost is taken up where it was. */
async function follow(
  { api, node, say }: DevOptions,
  name: string,
  from_ms: number,
  ended: AbortSignal,
): Promise<void> {
  let since_ms = from_ms;
  while (!ended.aborted) {
    const path = `/api/v1/engines/${encodeURIComponent(name)}/logs`;
    const query = `targets=${encodeURIComponent(node)}&follow=yes&since_ms=${since_ms}`;
    for await (const event of api.events(`${path}?${query}`)) {
      if (ended.aborted) return;
      const line = event.ok ? event.value['text'] : undefined;
      if (typeof line !== 'string') break;
      const [, time = '', text = line] = /^(\S+) (?:stdout|stderr) [FP] (.*)$/su.exec(line) ?? [];
      const moment = Date.parse(time);
      if (Number.isFinite(moment)) since_ms = moment + 1;
      say({ event: 'log', text });
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
