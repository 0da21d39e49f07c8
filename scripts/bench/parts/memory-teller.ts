// Loaded before a daemon that the bench starts with `--expose-gc` and an ipc channel: tells, when asked, what it holds after a collection.
// The daemon itself has no such door.
process.on('message', () => {
  (globalThis as { gc?: () => void }).gc?.();
  process.send?.(process.memoryUsage());
});
// It shall end as it would without us.
process.channel?.unref();
