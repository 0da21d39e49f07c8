import { InvalidArgumentError } from 'commander';

/** What commander makes of the value of an option. */
export function number(min: number, max: number): (value: string) => number {
  return (value) => {
    const parsed = Number(value);
    if (!/^[0-9]+$/.test(value) || parsed < min || parsed > max)
      throw new InvalidArgumentError(`A whole number from ${min} to ${max}.`);
    return parsed;
  };
}

export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
