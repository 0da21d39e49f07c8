import { isIPv4 } from 'node:net';

/** As few as this stand as they are: a person reads them more easily. */
const rangeLengthMin = 3;

/**
 * Addresses in the order of their numbers, each once, those that follow each other as one range. A cluster of a thousand nodes in one network is a line then,
 * and not a list that every one of its nodes is sent, signed and sealed.
 */
export function asRanges(addresses: readonly string[]): readonly string[] {
  const unique = [...new Set(addresses)];
  const numbers = unique.filter((one) => isIPv4(one)).map(numberOf);
  numbers.sort((a, b) => a - b);
  const found: string[] = [];
  for (let at = 0; at < numbers.length;) {
    let end = at;
    while (numbers[end + 1] === (numbers[end] ?? 0) + 1) end += 1;
    const run = numbers.slice(at, end + 1).map(textOf);
    if (run.length < rangeLengthMin) found.push(...run);
    else found.push(`${run[0]}-${run.at(-1)}`);
    at = end + 1;
  }
  return [...found, ...unique.filter((one) => !isIPv4(one)).toSorted()];
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function textOf(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}
