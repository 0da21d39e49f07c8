#!/usr/bin/env node
import { bmonitorProgram } from './program.js';

await bmonitorProgram().parseAsync();
