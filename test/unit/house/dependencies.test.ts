import { expect } from 'chai';
import { importsOf } from './imports.js';
import { allFiles, debianPackages, manifest, packages, production, read, sources } from './sources.js';

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly engines?: { readonly node?: string };
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const lock = JSON.parse(read('package-lock.json')) as { readonly packages: Readonly<Record<string, Locked>> };

function importedBy(files: readonly string[]): ReadonlySet<string> {
  const targets = files.flatMap((file) => importsOf(read(file)).map(({ target }) => target ?? ''));
  return new Set(
    targets.map((target) =>
      target
        .split('/')
        .slice(0, target.startsWith('@') ? 2 : 1)
        .join('/'),
    ),
  );
}

/** Whether a range of the kind that packages state lets in the oldest Node.js that we support. */
function letsIn(range: string, [major, minor]: readonly [number, number]): boolean {
  return range.split('||').some((part) => {
    const match = /^\s*(>=|\^|~|)\s*v?(\d+)(?:\.(\d+))?/.exec(part);
    if (match === null) return part.trim() === '*';
    const [wantedMajor, wantedMinor] = [Number(match[2]), Number(match[3] ?? 0)];
    const atLeast = major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
    return match[1] === '>=' ? atLeast : major === wantedMajor && minor >= wantedMinor;
  });
}

describe('house: dependencies', () => {
  it('are all on the page of dependencies, and nothing else is', () => {
    const page = [...read('docs/dependencies.md').matchAll(/^\| `([^`]+)`\s*\|/gm)].map(([, name]) => name);
    const wanted = [...packages.dependencies, ...packages.devDependencies, ...Object.keys(debianPackages)];
    expect(new Set(page)).to.deep.equal(new Set(wanted));
    expect(page).to.have.length(wanted.length);
  });

  it('are exact', () => {
    const all = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(all.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).to.deep.equal([]);
  });

  it('run on the oldest Node.js that we support, those of our dependencies too', () => {
    const wrong = Object.entries(lock.packages).filter(
      ([name, { engines }]) => name !== '' && engines?.node !== undefined && !letsIn(engines.node, [20, 19]),
    );
    expect(wrong.map(([name, { engines }]) => `${name}: ${engines?.node}`)).to.deep.equal([]);
    expect(letsIn('>=22', [20, 19])).to.equal(false);
    expect(letsIn('^20.19.0 || >=22.12.0', [20, 19])).to.equal(true);
    expect(letsIn('>= 18', [20, 19])).to.equal(true);
  });

  it('are locked by their digests, and the lock names no address to fetch from', () => {
    const entries = Object.entries(lock.packages).filter(([name]) => name !== '');
    expect(
      entries.filter(([, { integrity }]) => integrity === undefined).map(([name]) => name),
    ).to.deep.equal([]);
    expect(entries.filter(([, { resolved }]) => resolved !== undefined).map(([name]) => name)).to.deep.equal(
      [],
    );
  });

  it('that are optional are in the lock too, without which npm ci would refuse it', () => {
    const missing = Object.entries(lock.packages).flatMap(([at, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) =>
          lock.packages[`node_modules/${name}`] === undefined &&
          lock.packages[`${at}/node_modules/${name}`] === undefined,
      ),
    );
    expect(missing).to.deep.equal([]);
  });

  it('are fetched from wherever the machine is set up to fetch from: no file names a registry', () => {
    const marks = /registry\s*=|https?:\/\/[^\s"')]*\b(registry|npmjs|npmmirror|yarnpkg)\b/i;
    const files = allFiles().filter(
      (file) => !file.startsWith('test/unit/house/') && !/\.(png|pcap|ico)$/.test(file),
    );
    expect(files.filter((file) => marks.test(read(file)))).to.deep.equal([]);
  });
});

/** Parts that are still being built will use these; a line leaves when its import comes. */
const awaited = new Set(['dhcp']);
/** Called by their path or by other tools, not imported. */
const called = /^(@types\/.*|c8|mocha|oxlint|oxlint-tsgolint|prettier|typescript)$/;

describe('house: dependencies in use', () => {
  it('are imported by what is shipped', () => {
    const used = importedBy(production);
    expect(packages.dependencies.filter((name) => !used.has(name) && !awaited.has(name))).to.deep.equal([]);
  });

  it('are imported or called by tests and scripts, if they are for development', () => {
    const used = importedBy(sources);
    expect(packages.devDependencies.filter((name) => !used.has(name) && !called.test(name))).to.deep.equal(
      [],
    );
  });
});
