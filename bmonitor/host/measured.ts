import { release } from 'node:os';
import { refuse, ok, type Result } from '../../protocol/result.js';
import { MachineFiles } from './health/machine.js';

/** The kernel's own word for its version. */
export const kernelRelease = release();

/** The register into which the package's part of the initrd measures BMonitor (packaging/initramfs). Nothing else on Debian uses it. */
export const ownRegister = 13;

/** Whether BMonitor was measured at this boot, by the kernel's account of the machine's TPM. */
export async function wasMeasured(files: MachineFiles = new MachineFiles()): Promise<Result<void>> {
  const value = await files.text(`sys/class/tpm/tpm0/pcr-sha256/${ownRegister}`);
  if (value === undefined)
    return refuse('not-measured', 'the machine does not show the registers of its TPM');
  return /^0*$/.test(value) ? refuse('not-measured', `register ${ownRegister} is empty`) : ok(undefined);
}
