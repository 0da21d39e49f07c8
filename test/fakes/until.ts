/** Waits for a condition. The bound only ends a test that hangs; nothing is asserted about time. */
export async function until(holds: () => boolean | Promise<boolean>, bound_ms = 60_000): Promise<void> {
  const end = performance.now() + bound_ms;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`did not come true in ${bound_ms} ms: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
