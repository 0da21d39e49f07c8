#!/usr/bin/env node
import { parseWithIds } from '../../console/cli/dashed.js';
import { appProgram } from './program.js';

await parseWithIds(appProgram(), process.argv.slice(2));
