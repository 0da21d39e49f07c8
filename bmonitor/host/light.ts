import { access, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ok, refuse, type Result } from '../../protocol/result.js';
import { program } from './program.js';

const leds = '/sys/class/leds';
/** What makers call the light by which a machine is found. */
const finding = /ident|locat|uid/i;
/** What a management controller counts in one byte. */
const ipmi_s_max = 255;

/**
 * The light by which a person finds the machine: of its management controller, of its chassis, or else of the network socket of its interface.
 * Whichever there is, tried in this order.
 */
export class Light {
  readonly #link: string | undefined;
  #off: (() => Promise<unknown>) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(link: string | undefined) {
    this.#link = link;
  }

  async set(on: boolean, seconds: number): Promise<Result<void>> {
    await this.close();
    const whys: string[] = [];
    const ways = [
      () => this.#ipmi(on, seconds),
      () => this.#led(on, seconds),
      () => this.#blink(on, seconds),
    ];
    for (const way of ways) {
      const set = await way();
      if (set.ok) return set;
      whys.push(set.refusal.detail ?? '');
    }
    return refuse('light-not-there', whys.join('; '));
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#off?.();
    this.#off = undefined;
  }

  async #ipmi(on: boolean, seconds: number): Promise<Result<void>> {
    const there = await access('/dev/ipmi0').then(
      () => true,
      () => false,
    );
    if (!there) return refuse('light-not-there', 'no management controller');
    const time = on ? String(Math.min(seconds, ipmi_s_max)) : '0';
    const done = await program('ipmitool', ['chassis', 'identify', time]);
    return done.ok ? ok(undefined) : refuse('light-not-there', done.refusal.detail);
  }

  async #led(on: boolean, seconds: number): Promise<Result<void>> {
    const names = await readdir(leds).catch(() => []);
    const name = names.find((one) => finding.test(one));
    if (name === undefined) return refuse('light-not-there', 'no light of the chassis');
    const file = join(leds, name, 'brightness');
    try {
      const most = on ? (await readFile(join(leds, name, 'max_brightness'), 'utf8')).trim() : '0';
      await writeFile(file, most);
      if (on) this.#off = () => writeFile(file, '0').catch(() => {});
      if (on) this.#timer = setTimeout(() => void this.close(), seconds * 1000);
      return ok(undefined);
    } catch (error) {
      return refuse('light-not-there', String(error));
    }
  }

  /** One second is waited for, to see whether it can blink at all; the rest goes on by itself. Off: it ends with its time. */
  async #blink(on: boolean, seconds: number): Promise<Result<void>> {
    const link = this.#link;
    if (link === undefined) return refuse('light-not-there', 'no interface is configured');
    if (!on) return refuse('light-not-there', 'a blinking socket ends with its time');
    const blinks = await program('ethtool', ['-p', link, '1']);
    if (!blinks.ok) return refuse('light-not-there', blinks.refusal.detail);
    void program('ethtool', ['-p', link, String(seconds)], (seconds + 5) * 1000);
    return ok(undefined);
  }
}
