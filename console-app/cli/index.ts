#!/usr/bin/env node
import { appProgram } from './program.js';

await appProgram().parseAsync();
