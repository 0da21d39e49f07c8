import { Facility } from '../../scripts/facility/facility.js';
import { story } from '../../scripts/facility/story/story.js';

describe('a landlord and two customers on eight nodes, from the first boot of the machines to the next tenant', function () {
  this.timeout(300_000);
  this.bail(true);
  let facility: Facility;

  before(async () => {
    facility = await Facility.build(() => {});
  });
  after(async () => facility.remove());

  for (const part of story) it(part.name, async () => part.run(facility));
});
