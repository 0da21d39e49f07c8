// Makes images of engines from Debian's packages, in the OCI layout, and prints where they are: a web server, a load balancer and a cache.
import { imageOf } from './images/make.js';
import { imageNames } from './images/recipes.js';

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !imageNames.some((one) => one === name));
if (unknown.length > 0) {
  console.error(`There is no image ${unknown.join(' ')}; there are ${imageNames.join(', ')}.`);
  process.exit(2);
}
for (const name of imageNames)
  if (asked.length === 0 || asked.includes(name)) console.log(`${name}\t${imageOf(name)}`);
