/** Waits for a condition. The bound only ends a test that hangs; nothing is asserted about time. */
export async function until(holds: () => boolean | Promise<boolean>, bound_ms = 60_000): Promise<void> {
  const end = performance.now() + bound_ms;
  for (let began = performance.now(); !(await holds()); began = performance.now()) {
    if (performance.now() > end) throw new Error(`did not come true in ${bound_ms} ms: ${holds.toString()}`);
    // A question that takes long, a whole command line perhaps, is not asked without a pause: others have work to do.
    const took_ms = performance.now() - began;
    await new Promise((resolve) => setTimeout(resolve, Math.max(10, Math.min(2 * took_ms, 1000))));
  }
}
