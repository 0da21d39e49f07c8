import { begin } from '../../console/page/session.js';
import { showNodes } from '../../console/page/nodes.js';

await begin('console-cluster', showNodes);
