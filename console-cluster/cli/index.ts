#!/usr/bin/env node
import { clusterProgram } from './program.js';

await clusterProgram().parseAsync();
