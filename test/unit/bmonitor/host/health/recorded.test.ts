import { expect } from 'chai';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { HealthJudge } from '../../../../../bmonitor/health/judge.js';
import { MachineFiles } from '../../../../../bmonitor/host/health/machine.js';
import {
  ClockProbe,
  probeBuses,
  probePower,
  sensorReadings,
} from '../../../../../bmonitor/host/health/machine-probes.js';
import { probeMemory, smartReading } from '../../../../../bmonitor/host/health/probes.js';

/** The files of a server with error correction, a fan and PCIe, as its kernel laid them out; this machine has none of them. */
const tree: Readonly<Record<string, string>> = {
  'sys/devices/system/edac/mc/mc0/ce_count': '3',
  'sys/devices/system/edac/mc/mc0/ue_count': '0',
  'sys/bus/pci/devices/0000:00:1c.0/aer_dev_correctable': 'RxErr 0\nBadTLP 2\nTOTAL_ERR_COR 2',
  'sys/bus/pci/devices/0000:00:1c.0/aer_dev_nonfatal': 'Undefined 0\nTOTAL_ERR_NONFATAL 0',
  'sys/bus/pci/devices/0000:00:1c.0/aer_dev_fatal': 'Undefined 0\nTOTAL_ERR_FATAL 0',
  'sys/class/hwmon/hwmon2/fan1_input': '4800',
  'sys/class/hwmon/hwmon2/fan1_min': '1200',
  'sys/class/hwmon/hwmon2/fan1_label': 'FAN A',
};

describe('probes of hardware that is not on this machine, from a recorded tree', () => {
  let root = '';
  const put = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), `${text}\n`);
  };
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'bmonitor-tree-'));
    for (const [path, text] of Object.entries(tree)) await put(path, text);
  });
  afterEach(async () => rm(root, { recursive: true, force: true }));

  async function round(judge: HealthJudge, at: number): Promise<readonly string[]> {
    const options = { files: new MachineFiles(root), folder: root };
    const found = [
      ...(await probeMemory(options)),
      ...(await probeBuses(options)),
      ...(await probePower(options)),
    ];
    return judge.take(found, at).map(({ item, state }) => `${item} ${state}`);
  }

  it('are good while nothing rises, and tell of memory that cannot be corrected, a fan that stands, and a bus that failed', async () => {
    const judge = new HealthJudge();
    expect(await round(judge, 0)).to.deep.equal([]);
    expect(await round(judge, 60)).to.deep.equal([]);
    await put('sys/devices/system/edac/mc/mc0/ue_count', '1');
    await put('sys/class/hwmon/hwmon2/fan1_input', '0');
    await put('sys/bus/pci/devices/0000:00:1c.0/aer_dev_fatal', 'Undefined 0\nTOTAL_ERR_FATAL 1');
    expect(await round(judge, 120)).to.have.members([
      'mc0 uncorrected bad',
      'hwmon2 FAN A bad',
      '0000:00:1c.0 fatal bad',
    ]);
  });

  it('take corrected errors as ordinary until there are many', async () => {
    const judge = new HealthJudge();
    await round(judge, 0);
    await put('sys/devices/system/edac/mc/mc0/ce_count', '10');
    expect(await round(judge, 60)).to.deep.equal([]);
    await put('sys/devices/system/edac/mc/mc0/ce_count', '400');
    expect(await round(judge, 120)).to.deep.equal(['mc0 corrected bad']);
  });

  it('read what ipmitool and smartctl wrote elsewhere (recorded)', () => {
    const sensors =
      'CPU1 Temp | 41 degrees C | ok\nFAN3 | 0 RPM | cr\nFAN4 | no reading | ns\nPS2 Status | 0x01 | ok\n';
    expect(sensorReadings(sensors).map((one) => one.kind === 'check' && one.ok)).to.deep.equal([
      true,
      false,
      true,
    ]);
    const failing = '{"smart_status":{"passed":false},"temperature":{"current":30}}';
    expect(smartReading('sda SMART', 'disks', failing)).to.include({ kind: 'check', ok: false });
    expect(smartReading('sda SMART', 'disks', '')).to.include({ kind: 'absent' });
  });

  it('see a wall clock that jumps against the count since boot', () => {
    const at = { wall: 1_000_000, sinceBoot: 5_000 };
    const clock = new ClockProbe(() => at);
    const judge = new HealthJudge();
    judge.take(clock.read(), 0);
    at.sinceBoot += 60_000;
    at.wall += 60_010;
    expect(judge.take(clock.read(), 60)).to.deep.equal([]);
    at.sinceBoot += 60_000;
    at.wall += 3_660_000;
    expect(judge.take(clock.read(), 120)[0]).to.include({ item: 'jump', state: 'bad' });
  });
});
