import { FakeDirectories } from '../../fakes/machine/directories.js';
import { Power } from '../../fakes/machine/power.js';
import { value } from '../../fakes/results.js';
import { directoryStoreContract } from './contract.js';

directoryStoreContract('in memory (fake)', () => {
  const medium = new FakeDirectories();
  let power = new Power();
  return Promise.resolve({
    open: () => value(medium.open((power = new Power()))),
    reboot: () => Promise.resolve(power.cut('power')),
    write: (name, file, content) => Promise.resolve(medium.write(name, file, content)),
    read: (name, file) => Promise.resolve(medium.read(name, file)),
    hold(name) {
      medium.hold(name, true);
      return Promise.resolve(() => Promise.resolve(medium.hold(name, false)));
    },
    remove: () => Promise.resolve(),
  });
});
