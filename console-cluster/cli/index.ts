#!/usr/bin/env node
import { parseWithIds } from '../../console/cli/dashed.js';
import { clusterProgram } from './program.js';

await parseWithIds(clusterProgram(), process.argv.slice(2));
