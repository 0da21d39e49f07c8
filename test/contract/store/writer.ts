import { openLevelStore } from '../../../console/store/level.js';

// Writes two keys in step and prints each number once it is acknowledged, until it is killed.
const store = await openLevelStore(process.argv[2] ?? '');
if (!store.ok) throw new Error(store.refusal.code);
const old = await store.value.get('left');
let i = old === undefined ? 0 : Number(new TextDecoder().decode(old.value)) + 1;
for (; ; i++) {
  const value = new TextEncoder().encode(String(i));
  const written = await store.value.write([
    { type: 'put', key: 'left', value },
    { type: 'put', key: 'right', value },
  ]);
  if (!written.ok) throw new Error(written.refusal.code);
  process.stdout.write(`${i}\n`);
}
