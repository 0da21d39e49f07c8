import type { CommandType } from '../../protocol/commands.js';
import { asked } from './machine/world.js';
import type { Sample } from './sample.js';

const said = { drain: 30, reason: 'a fan is changed' };

/** Of the commands that switch the machine. */
export const hardwareSamples: Partial<Record<CommandType, readonly Sample[]>> = {
  'hardware.reboot': [
    {
      title: 'the landlord starts the machine anew, with time to stop',
      base: 'chain',
      ask: () => asked('landlord.operator', { type: 'hardware.reboot', ...said }),
    },
  ],
  'hardware.power-off': [
    {
      title: 'the landlord switches the machine off',
      base: 'tenant',
      ask: () => asked('landlord.operator', { type: 'hardware.power-off' }),
    },
  ],
  'hardware.suspend': [
    {
      title: 'the landlord puts the machine to sleep',
      base: 'landlord',
      ask: () => asked('landlord.operator', { type: 'hardware.suspend', ...said }),
    },
  ],
  'hardware.identify': [
    {
      title: 'the landlord has the light go on',
      base: 'tenant',
      ask: () => asked('landlord.operator', { type: 'hardware.identify', on: true, seconds: 30 }),
    },
  ],
};
