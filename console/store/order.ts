/** Orders strings by the bytes of their UTF-8 form, as LevelDB and etcd do; JavaScript compares UTF-16 units. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
