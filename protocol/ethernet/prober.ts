import { limits } from '../limits.js';
import { arpProbe, claims } from './arp.js';
import type { ArpFrame, Frame } from './frame.js';
import type { Mac } from './address.js';

/** Asks the link who has an address: a few times, then silence says that nobody has. */
export class Prober {
  readonly #asked = new Map<string, Set<(frame: ArpFrame) => void>>();

  constructor(
    private readonly mac: Mac,
    private readonly send: (frame: Frame) => void,
  ) {}

  /** True as soon as another machine claims the address; `meant` is the one for which it is, if that is not this one. */
  probe(address: string, meant: Mac = this.mac): Promise<boolean> {
    return new Promise((resolve) => {
      const waiting = this.#asked.get(address) ?? new Set();
      this.#asked.set(address, waiting);
      let sent = 0;
      const done = (taken: boolean): void => {
        clearInterval(timer);
        waiting.delete(heard);
        if (waiting.size === 0) this.#asked.delete(address);
        resolve(taken);
      };
      const heard = (frame: ArpFrame): void => {
        if (frame.senderMac !== meant) done(true);
      };
      const ask = (): void => {
        if (sent === limits.arp_probes_count) return done(false);
        sent++;
        this.send(arpProbe(this.mac, address));
      };
      waiting.add(heard);
      const timer = setInterval(ask, limits.arp_probe_ms);
      ask();
    });
  }

  heard(frame: ArpFrame): void {
    for (const address of new Set([frame.senderIp, frame.targetIp])) {
      const waiting = this.#asked.get(address);
      if (waiting !== undefined && claims(frame, address, this.mac)) waiting.forEach((heard) => heard(frame));
    }
  }
}
