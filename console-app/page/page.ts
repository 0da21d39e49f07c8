import { begin } from '../../console/page/session.js';
import { showNodes } from '../../console/page/nodes.js';
import { showPast } from './past.js';

await begin('console-app', (main) => {
  showNodes(main);
  showPast(main);
});
