/**
 * The same command, with the right to make network namespaces: as it is for root; for others inside a user namespace
 * where they are root, with a /run of its own, in which `ip netns` keeps its names.
 */
export function inNamespaces(command: readonly string[]): readonly string[] {
  if (process.getuid?.() === 0) return command;
  const inside = 'mount -t tmpfs tmpfs /run && exec "$@"';
  return ['unshare', '--user', '--map-root-user', '--net', '--mount', 'sh', '-c', inside, 'sh', ...command];
}
