import { setTimeout as pause } from 'node:timers/promises';
import type { Reading, Subject } from '../../ports/health.js';
import { said } from './machine.js';
import type { ProbeOptions } from './probes.js';

function absent(subject: Subject, item: string, why: string): Reading {
  return { subject, item, kind: 'absent', why };
}

/** Carrier and faults as the kernel counts them, and a round trip to the router. */
export async function probeNetwork({ files, link }: ProbeOptions): Promise<readonly Reading[]> {
  const subject = 'network';
  if (link === undefined) return [absent(subject, 'interface', 'none is configured')];
  const at = `sys/class/net/${link}`;
  const carrier = await files.text(`${at}/carrier`);
  const state = await files.text(`${at}/operstate`);
  const found: Reading[] = [];
  // A link that is down has no carrier file that could be read.
  if (carrier === undefined && state === undefined)
    found.push(absent(subject, `${link} carrier`, 'no such interface'));
  else {
    const ok = carrier === '1';
    found.push({ subject, item: `${link} carrier`, kind: 'check', ok, said: ok ? 'there' : 'none' });
  }
  for (const [name, allowed] of [
    ['rx_errors', 0],
    ['tx_errors', 0],
    ['rx_dropped', 1000],
    ['tx_dropped', 100],
  ] as const) {
    const value = await files.number(`${at}/statistics/${name}`);
    if (value !== undefined) found.push({ subject, item: `${link} ${name}`, kind: 'count', value, allowed });
  }
  return [...found, await router(link)];
}

/** The kernel is told to ask anew who has the router's address: a question and an answer over the wire, which no filter of a level can hold back. */
async function router(link: string): Promise<Reading> {
  const item = 'router';
  const routes = await said('ip', '-4', 'route', 'show', 'default', 'dev', link);
  const address = /\bvia (\S+)/.exec(routes ?? '')?.[1];
  if (address === undefined) return absent('network', item, 'no router is known on the interface');
  const about = ['to', address, 'dev', link];
  const entry = async (): Promise<string> => (await said('ip', '-4', 'neigh', 'show', ...about)) ?? '';
  const known = /\blladdr (\S+)/.exec(await entry())?.[1];
  // An entry that says by hand where the router is, is never asked for.
  if (/\b(PERMANENT|NOARP)\b/.test(await entry()))
    return absent('network', item, `${address} was set by hand`);
  const ask =
    known === undefined
      ? ['neigh', 'replace', ...about, 'use']
      : ['neigh', 'change', ...about, 'lladdr', known, 'nud', 'probe'];
  if ((await said('ip', '-4', ...ask)) === undefined)
    return absent('network', item, `the kernel cannot be told to ask ${address}`);
  // It asks three times, a second apart.
  for (let waited_ms = 0; waited_ms < router_answer_ms_max; waited_ms += router_look_ms) {
    await pause(router_look_ms);
    const now = await entry();
    if (/\bREACHABLE\b/.test(now))
      return { subject: 'network', item, kind: 'check', ok: true, said: `${address} answers` };
    if (/\bFAILED\b/.test(now) || now === '') break;
  }
  return { subject: 'network', item, kind: 'check', ok: false, said: `${address} does not answer` };
}

/** The kernel gives up by itself well before; how often it is looked at meanwhile. */
const router_answer_ms_max = 6000;
const router_look_ms = 500;

/** What each device of the bus reported of its errors (AER). */
export async function probeBuses({ files }: ProbeOptions): Promise<readonly Reading[]> {
  const subject = 'buses';
  const root = 'sys/bus/pci/devices';
  const found: Reading[] = [];
  for (const device of (await files.names(root)) ?? [])
    for (const [kind, allowed] of [
      ['correctable', 100],
      ['nonfatal', 0],
      ['fatal', 0],
    ] as const) {
      const text = await files.text(`${root}/${device}/aer_dev_${kind}`);
      const value = text === undefined ? undefined : /^TOTAL_ERR_\w+ (\d+)$/m.exec(text)?.[1];
      if (value !== undefined)
        found.push({ subject, item: `${device} ${kind}`, kind: 'count', value: Number(value), allowed });
    }
  return found.length > 0 ? found : [absent(subject, 'PCIe', 'no device reports its errors (AER)')];
}

/** Fans and voltages of the machine's own chips, and what its management controller says of its sensors. */
export async function probePower({ files }: ProbeOptions): Promise<readonly Reading[]> {
  const subject = 'power and fans';
  const found: Reading[] = [];
  for (const chip of (await files.names('sys/class/hwmon')) ?? []) {
    const at = `sys/class/hwmon/${chip}`;
    for (const file of (await files.names(at)) ?? []) {
      const name = /^((?:fan|in|power)\d+)_input$/.exec(file)?.[1];
      const value = name === undefined ? undefined : await files.number(`${at}/${file}`);
      if (name === undefined || value === undefined) continue;
      const item = `${chip} ${(await files.text(`${at}/${name}_label`)) ?? name}`;
      const alarm = await files.text(`${at}/${name}_alarm`);
      const least = await files.number(`${at}/${name}_min`);
      const most = await files.number(`${at}/${name}_max`);
      if (alarm === '1') found.push({ subject, item, kind: 'check', ok: false, said: `${value}, an alarm` });
      else {
        const bounds = { ...(least === undefined ? {} : { least }), ...(most === undefined ? {} : { most }) };
        found.push({
          subject,
          item,
          kind: 'level',
          value,
          unit: name.startsWith('fan') ? 'rpm' : 'raw',
          ...bounds,
        });
      }
    }
  }
  const sensors = (await files.has('dev/ipmi0')) ? await said('ipmitool', 'sdr', 'list', 'full') : undefined;
  found.push(...sensorReadings(sensors ?? ''));
  return found.length > 0
    ? found
    : [absent(subject, 'sensors', 'no chip and no management controller reports')];
}

/** Lines of ipmitool: name, reading, state; of those only that say how they are. */
export function sensorReadings(text: string): readonly Reading[] {
  return text.split('\n').flatMap((line): readonly Reading[] => {
    const [item = '', reading = '', state = ''] = line.split('|').map((part) => part.trim());
    if (item === '' || !['ok', 'nc', 'cr', 'nr'].includes(state)) return [];
    return [
      { subject: 'power and fans', item, kind: 'check', ok: state === 'ok', said: `${reading} (${state})` },
    ];
  });
}

/** How far the wall clock and the machine's own count may drift apart between two readings. */
const jump_ms_max = 2_000;

/** Watches the wall clock against the count since boot, which nobody sets. */
export class ClockProbe {
  readonly #now: () => { readonly wall: number; readonly sinceBoot: number };
  #before: number | undefined;

  constructor(now: () => { readonly wall: number; readonly sinceBoot: number }) {
    this.#now = now;
  }

  read(): readonly Reading[] {
    const { wall, sinceBoot } = this.#now();
    const apart = wall - sinceBoot;
    const moved = this.#before === undefined ? 0 : Math.abs(apart - this.#before);
    this.#before = apart;
    return [
      {
        subject: 'clock',
        item: 'jump',
        kind: 'level',
        value: Math.round(moved),
        unit: 'ms',
        most: jump_ms_max,
      },
    ];
  }
}
