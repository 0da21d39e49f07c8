import { createSocket } from 'node:dgram';
import {
  clientPort,
  decodeDhcp,
  encodeDhcp,
  everyAddress,
  serverPort,
  type DhcpPacket,
} from '../../../protocol/dhcp/index.js';
import { macBroadcast } from '../../../protocol/ethernet/address.js';
import { arpAnnouncement } from '../../../protocol/ethernet/arp.js';
import type { Frame } from '../../../protocol/ethernet/frame.js';
import { Prober } from '../../../protocol/ethernet/prober.js';
import { RawLink } from '../../../protocol/ethernet/raw-link.js';
import { ok, type Result } from '../../../protocol/result.js';
import type { AddressLink, AddressLinkEvents, Assignment } from '../../ports/address-link.js';
import { applyAssignment, removeAddress } from './interface.js';
import { ip } from './tool.js';

/** The real interface. Brings it up first: without that no carrier is ever seen. */
export async function openAddressLink(name: string, events: AddressLinkEvents): Promise<Result<AddressLink>> {
  const up = await ip(['link', 'set', 'dev', name, 'up']);
  if (!up.ok) return up;
  const made: { link?: HostAddressLink } = {};
  const raw = await RawLink.open(
    { interface: name },
    {
      frame: (frame) => made.link?.heard(frame),
      carrier: (up) => events.carrier(up),
      lost: (why) => events.lost(why),
    },
  );
  if (!raw.ok) return raw;
  const link = new HostAddressLink(name, raw.value, events);
  made.link = link;
  return ok(link);
}

class HostAddressLink implements AddressLink {
  readonly #prober: Prober;
  #own: string | undefined;

  constructor(
    private readonly name: string,
    private readonly raw: RawLink,
    private readonly events: AddressLinkEvents,
  ) {
    this.#prober = new Prober(raw.mac, (frame) => void raw.send(frame));
  }

  get mac(): string {
    return this.raw.mac;
  }

  heard(frame: Frame): void {
    if (frame.kind === 'arp') {
      this.#prober.heard(frame);
      if (frame.senderIp === this.#own && frame.senderMac !== this.raw.mac)
        this.events.conflict(frame.senderIp);
    } else if (frame.destinationPort === clientPort && frame.sourcePort === serverPort) {
      const packet = decodeDhcp(frame.payload);
      if (packet.ok && packet.value.mac === this.raw.mac) this.events.packet(packet.value);
    }
  }

  broadcast(packet: DhcpPacket): void {
    this.raw.send({
      kind: 'udp',
      from: this.raw.mac,
      to: macBroadcast,
      source: packet.ciaddr,
      destination: everyAddress,
      sourcePort: clientPort,
      destinationPort: serverPort,
      payload: encodeDhcp(packet),
    });
  }

  /** Through an ordinary socket, because the server may be behind a router. The answer is heard on the raw link. */
  sendTo(server: string, from: string, packet: DhcpPacket): Promise<void> {
    return new Promise((resolve) => {
      const socket = createSocket({ type: 'udp4', reuseAddr: true });
      const done = (): void => {
        socket.removeAllListeners();
        socket.on('error', () => {});
        // Open a little longer: without a socket the kernel would answer the server that nobody listens.
        socket.unref();
        setTimeout(() => socket.close(), 1000).unref();
        resolve();
      };
      // An address that is gone, a way that is not there: as good as a packet that was lost.
      socket.once('error', done);
      socket.bind(clientPort, from, () => socket.send(encodeDhcp(packet), serverPort, server, done));
    });
  }

  probe(address: string): Promise<boolean> {
    return this.#prober.probe(address);
  }

  announce(address: string): void {
    this.raw.send(arpAnnouncement(this.raw.mac, address));
  }

  async apply(assignment: Assignment): Promise<Result<void>> {
    const applied = await applyAssignment(this.name, assignment);
    if (applied.ok) this.#own = assignment.address;
    return applied;
  }

  remove(address: string, length: number): Promise<Result<void>> {
    if (this.#own === address) this.#own = undefined;
    return removeAddress(this.name, address, length);
  }

  close(): Promise<void> {
    return this.raw.close();
  }
}
