import { begin } from '../../console/page/session.js';
import { showNodes } from '../../console/page/nodes.js';
import { logIn } from './login.js';
import { showTalks } from './talks.js';

await begin(
  'console-cluster',
  (main) => {
    showNodes(main);
    showTalks(main);
  },
  logIn,
);
