import { macBroadcast, type Mac } from './address.js';
import type { ArpFrame } from './frame.js';

const noMac: Mac = '00:00:00:00:00:00';

/** RFC 5227: a question that names no sender, so that nobody's table changes. */
export function arpProbe(mac: Mac, address: string): ArpFrame {
  return arpRequest(mac, '0.0.0.0', address);
}

export function arpAnnouncement(mac: Mac, address: string): ArpFrame {
  return arpRequest(mac, address, address);
}

function arpRequest(mac: Mac, senderIp: string, targetIp: string): ArpFrame {
  return {
    kind: 'arp',
    from: mac,
    to: macBroadcast,
    operation: 'request',
    senderMac: mac,
    senderIp,
    targetMac: noMac,
    targetIp,
  };
}

/** Whether another machine says with this frame that it has the address, or is about to take it. */
export function claims(frame: ArpFrame, address: string, own: Mac): boolean {
  if (frame.senderMac === own) return false;
  const probes = frame.operation === 'request' && frame.senderIp === '0.0.0.0' && frame.targetIp === address;
  return probes || frame.senderIp === address;
}
