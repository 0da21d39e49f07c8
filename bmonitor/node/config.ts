import { rsaBits } from '../../crypto/rsa.js';
import { nameText } from '../../protocol/fields.js';
import { limits } from '../../protocol/limits.js';
import { parseJson } from '../../protocol/json.js';
import { wayForm } from '../../protocol/node-card.js';
import { flag, list, object, oneOf, optional, text, whole, type Parsed } from '../../protocol/parse.js';
import type { Result } from '../../protocol/result.js';

const address = text({ max: 45, pattern: /^[0-9a-fA-F:.]+$/, form: 'an IPv4 or IPv6 address' });

const ownAddress = text({
  max: 49,
  pattern: /^[0-9a-fA-F:.]+(\/\d{1,3})?$/,
  form: 'an IPv4 or IPv6 address, or one with the length of its network, as 10.0.0.7/24',
});

/** The file node.json: what the machine's keeper says, as against what the levels command. */
export const configForm = object({
  name: nameText,
  /** Where consoles reach the node. */
  listen: object({ host: address, port: whole({ min: 0, max: 65_535 }) }),
  /** The interface whose traffic is filtered, and the addresses that are the node's on it. Absent: filters are not enforced. */
  interface: optional(text({ max: 15, pattern: /^[A-Za-z0-9._@-]+$/, form: 'the name of an interface' })),
  /** Those with the length of their network are put on the interface by BMonitor; the others by whoever set up the machine. */
  addresses: optional(list(ownAddress, { max: 16 })),
  /** What the way to everywhere else goes through: one for IPv4, one for IPv6, each in the network of an address with its length. */
  routers: optional(list(address, { min: 1, max: 2 })),
  /** The interface's IPv4 address is asked for by DHCP. The addresses above are the node's too. */
  dhcp: optional(flag),
  /** Where consoles and gateways are, that no filter may cut off. */
  consoles: optional(list(address, { max: 64 })),
  /** Size of the RSA pairs that the node makes. Absent: 3072. */
  keyBits: optional(whole({ min: rsaBits.min, max: rsaBits.max })),
  /** Where the secrets rest. Absent: in a file. */
  keys: optional(
    object({
      store: oneOf('tpm', 'file'),
      /** How tpm2-tools reach the TPM. Absent: through the kernel's resource manager. */
      tcti: optional(
        text({ max: 200, pattern: /^[a-z0-9-]+:[!-~]*$/, form: 'a TCTI as tpm2-tools take it' }),
      ),
      /** The registers that must stand as they stood when the node was made. */
      pcrs: optional(list(whole({ min: 0, max: 23 }), { min: 1, max: limits.tpm_registers_max })),
    }),
  ),
  /** The files of the leases. Absent: as much for each as is usual. */
  data: optional(
    object({
      /** Set aside for the files of each lease. */
      bytes: optional(
        whole({ min: limits.lease_directory_bytes_min, max: limits.lease_directory_bytes_max }),
      ),
      /** How they are encrypted. Absent: as the kernel can, `fscrypt` before `luks`. A node keeps what it began with. */
      store: optional(oneOf('fscrypt', 'luks')),
    }),
  ),
  /** The network that engines of this node have among themselves (absent: 100.96.0.0/16), addresses for single ones, and the memory they may have together when they ask for more. */
  engines: optional(
    object({
      network: optional(
        text({
          max: 18,
          pattern: /^(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])\.(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])\.0\.0\/16$/,
          form: 'an IPv4 network of 16 bits, as 100.96.0.0/16',
        }),
      ),
      /** Addresses of the node that engines may have as their own. BMonitor puts them on the interface. */
      addresses: optional(list(address, { max: 16 })),
      memory_mb: optional(whole({ min: 16, max: 64 * 1024 * 1024 })),
    }),
  ),
  /** Gateways to which the node dials out. */
  gateways: optional(list(wayForm, { max: 8 })),
});
export type Config = Parsed<typeof configForm>;

/** Ports on which BMonitor itself listens: for its consoles, and with DHCP for answers of its server. */
export function ownPortsIn({ listen, dhcp }: Config): ReadonlySet<string> {
  return new Set([`tcp ${listen.port}`, ...(dhcp === true ? ['udp 68'] : [])]);
}

export function parseConfig(content: string): Result<Config> {
  const json = parseJson(content);
  return json.ok ? configForm(json.value, '') : json;
}
