export interface UntilOptions {
  readonly bound_ms?: number;
  /** What was waited for, for the error. */
  readonly what?: string | (() => string);
  readonly step_ms?: number;
}

/** Polls until the condition gives something other than undefined or false. The bound is generous: it is no assertion about speed. */
export async function until<T>(
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  options: UntilOptions = {},
): Promise<T> {
  const bound_ms = options.bound_ms ?? 60_000;
  const give_up = performance.now() + bound_ms;
  for (;;) {
    const began = performance.now();
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > give_up) {
      const what =
        typeof options.what === 'function' ? options.what() : (options.what ?? 'what was waited for');
      throw new Error(`did not see ${what} in ${bound_ms} ms`);
    }
    // A question that takes long, a whole command line perhaps, is not asked without a pause: others have work to do.
    const took_ms = performance.now() - began;
    await new Promise((resolve) =>
      setTimeout(resolve, Math.max(options.step_ms ?? 5, Math.min(2 * took_ms, 1000))),
    );
  }
}
