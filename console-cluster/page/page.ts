import { begin } from '../../console/page/session.js';
import { showNodes } from '../../console/page/nodes.js';
import { logIn } from './login.js';

await begin('console-cluster', showNodes, logIn);
