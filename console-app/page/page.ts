import { begin } from '../../console/page/session.js';
import { showNodes } from '../../console/page/nodes.js';
import { showEngines } from './engines.js';
import { showPast } from './past.js';

await begin('console-app', (main) => {
  showNodes(main);
  showEngines(main);
  showPast(main);
});
