import type { DhcpOptions } from './packet.js';

/** How the value of an option is built. */
export type OptionKind = 'u8' | 'u16' | 'u32' | 'ip' | 'ips' | 'text' | 'bytes' | 'routes';

export interface OptionForm {
  readonly kind: OptionKind;
  readonly name: keyof DhcpOptions | 'type';
}

/** RFC 2132, 3442 (121), and 224 of our own. */
export const optionForms: ReadonlyMap<number, OptionForm> = new Map<number, OptionForm>([
  [1, { kind: 'ip', name: 'subnetMask' }],
  [3, { kind: 'ips', name: 'routers' }],
  [6, { kind: 'ips', name: 'dns' }],
  [12, { kind: 'text', name: 'hostname' }],
  [15, { kind: 'text', name: 'domain' }],
  [26, { kind: 'u16', name: 'mtu' }],
  [28, { kind: 'ip', name: 'broadcastAddress' }],
  [42, { kind: 'ips', name: 'ntp' }],
  [50, { kind: 'ip', name: 'requested' }],
  [51, { kind: 'u32', name: 'lease_s' }],
  [53, { kind: 'u8', name: 'type' }],
  [54, { kind: 'ip', name: 'server' }],
  [55, { kind: 'bytes', name: 'parameters' }],
  [56, { kind: 'text', name: 'message' }],
  [57, { kind: 'u16', name: 'size_max' }],
  [58, { kind: 'u32', name: 'renewal_s' }],
  [59, { kind: 'u32', name: 'rebinding_s' }],
  [60, { kind: 'text', name: 'vendorClass' }],
  [61, { kind: 'bytes', name: 'clientId' }],
  [121, { kind: 'routes', name: 'classlessRoutes' }],
  [224, { kind: 'text', name: 'gateway' }],
]);

export const optionCodes: ReadonlyMap<OptionForm['name'], number> = new Map(
  [...optionForms].map(([code, form]) => [form.name, code]),
);
