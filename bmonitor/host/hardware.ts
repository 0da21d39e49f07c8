import { cpus, totalmem } from 'node:os';
import { limits } from '../../protocol/limits.js';
import type { Hardware } from '../../protocol/hardware.js';
import { MachineFiles } from './health/machine.js';

const sectorBytes = 512;
/** Made by the kernel out of nothing, or parts of other disks. */
const notDisks = /^(loop|ram|zram|dm-|md|sr|fd|nbd)/;

/** What this machine is made of, as the kernel says. */
export async function readHardware(files = new MachineFiles()): Promise<Hardware> {
  const processors = cpus();
  return {
    cpu: { model: short(processors[0]?.model ?? ''), threads: Math.max(1, processors.length) },
    memory_bytes: totalmem(),
    disks: await disksOf(files),
    nics: await nicsOf(files),
  };
}

async function disksOf(files: MachineFiles): Promise<Hardware['disks']> {
  const names = ((await files.names('sys/block')) ?? []).filter((name) => !notDisks.test(name));
  return Promise.all(
    names
      .toSorted()
      .slice(0, limits.hardware_parts_max)
      .map(async (name) => {
        const model = await files.text(`sys/block/${name}/device/model`);
        return {
          name: short(name),
          bytes: wholeOf(await files.text(`sys/block/${name}/size`)) * sectorBytes,
          ...(model === undefined ? {} : { model: short(model) }),
        };
      }),
  );
}

/** Those with a device behind them; bridges and the like come and go. */
async function nicsOf(files: MachineFiles): Promise<Hardware['nics']> {
  const names = (await files.names('sys/class/net')) ?? [];
  const found: Hardware['nics'][number][] = [];
  for (const name of names.toSorted()) {
    if (found.length >= limits.hardware_parts_max) break;
    if (!(await files.has(`sys/class/net/${name}/device`))) continue;
    const mbit = wholeOf(await files.text(`sys/class/net/${name}/speed`));
    const mac = (await files.text(`sys/class/net/${name}/address`)) ?? '';
    found.push({ name: short(name), mac: short(mac), ...(mbit > 0 && mbit <= 10_000_000 ? { mbit } : {}) });
  }
  return found;
}

/** The kernel says -1 for a speed that it does not know. */
function wholeOf(text: string | undefined): number {
  const number = Number(text);
  return Number.isSafeInteger(number) && number >= 0 ? number : 0;
}

function short(text: string): string {
  return text.trim().slice(0, 128);
}
