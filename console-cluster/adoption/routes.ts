import { route, type Route } from '../../console/api/route.js';
import {
  digest,
  list,
  moment,
  name,
  nullable,
  object,
  oneOf,
  opaque,
  optional,
  text,
} from '../../console/api/shape.js';
import { place, type Beside } from '../../console/nodes/routes.js';
import type { Hardware } from '../../protocol/hardware.js';
import { limits } from '../../protocol/limits.js';
import { ok, refuse } from '../../protocol/result.js';
import { standings, type AdoptionDesk, type AtDesk } from './desk.js';
import type { Inventory } from './inventory.js';
import type { InventoryRecord } from './record.js';
import { retireNode, type Retiring } from './retire.js';

const deskId = text({ max: 22, pattern: /^[A-Za-z0-9_-]{22}$/, form: 'the id of a waiting machine' });
const machineView = object({
  id: deskId,
  source: text({ min: 0, max: 64 }),
  since: moment,
  standing: oneOf(...standings),
  /** All of it the machine's own word, which nobody has checked. */
  unverified: object({
    name,
    version: text({ max: 64 }),
    machine: text({ max: 1000 }),
    hardware: opaque('its parts'),
  }),
  name: nullable(name),
  why: nullable(object({ code: text({ max: 64 }), detail: text({ min: 0, max: 2000 }) })),
});
const receipts = list(text({ max: limits.receipt_chars_max }), { max: limits.receipts_per_lease_max });
const inventoryView = object({
  name,
  place,
  hardware: nullable(opaque('what the machine said of itself when it was adopted')),
  adopted: nullable(opaque('when, by whom, and what both sides signed')),
  retired: nullable(opaque('when, by whom, and the receipts of the node')),
});

function atDesk(machine: AtDesk) {
  const { id, source, since, standing, hello, why } = machine;
  const { name, version, hardware } = hello;
  return {
    id,
    source,
    since,
    standing,
    unverified: { name, version, machine: machineText(hardware), hardware },
    name: machine.name ?? null,
    why: why ? { code: why.code, detail: why.detail ?? '' } : null,
  };
}

function inventoryOf(record: InventoryRecord) {
  const { name, hardware, adopted, retired } = record;
  return {
    name,
    place: placeOf(record),
    hardware: hardware ?? null,
    adopted: adopted ?? null,
    retired: retired ?? null,
  };
}

function placeOf({ room, rack, position, spare }: InventoryRecord): Beside['place'] {
  return {
    ...(room === undefined ? {} : { room }),
    ...(rack === undefined ? {} : { rack }),
    ...(position === undefined ? {} : { position }),
    spare,
  };
}

/** What the list and the page show beside what a node answers. */
export function besideFrom(inventory: Inventory): (name: string) => Beside {
  return (name) => {
    const record = inventory.of(name);
    return { place: placeOf(record), machine: record.hardware ? machineText(record.hardware) : null };
  };
}

const gib = 1024 ** 3;

function machineText({ cpu, memory_bytes, disks, nics }: Hardware): string {
  const disk = disks.reduce((sum, { bytes }) => sum + bytes, 0);
  const parts = [
    `${cpu.threads} × ${cpu.model === '' ? 'processor' : cpu.model}`,
    `${Math.round(memory_bytes / gib)} GiB memory`,
    `${disks.length} disks, ${Math.round(disk / gib)} GiB`,
    `${nics.length} network interfaces`,
  ];
  return parts.join('; ');
}

export function adoptionRoutes(desk: AdoptionDesk): Route[] {
  const params = object({ id: deskId });
  return [
    route({
      method: 'GET',
      path: '/api/v1/adoption',
      summary: 'Machines without a landlord that wait to be adopted, and how the last adoptions ended',
      role: 'view',
      reply: object({
        machines: list(machineView, { max: limits.pairing_waiting_max + limits.pairing_ended_kept_max + 1 }),
      }),
      handle: () => Promise.resolve(ok({ machines: desk.list().map(atDesk) })),
    }),
    route({
      method: 'POST',
      path: '/api/v1/adoption/{id}/begin',
      summary: 'Exchange keys with a waiting machine, once; gives the code to type at the machine',
      role: 'administer',
      params,
      reply: object({ code: text({ max: 16 }) }),
      handle: ({ params }) => desk.begin(params.id),
    }),
    route({
      method: 'POST',
      path: '/api/v1/adoption/{id}/accept',
      summary: 'Say which code the machine shows; with the right one it becomes a node, a wrong one ends it',
      role: 'administer',
      params,
      body: object({ code: text({ max: 16 }), name: optional(name), place: optional(place) }),
      reply: machineView,
      async handle({ params, body, caller }) {
        const machine = desk.get(params.id);
        if (!machine.ok) return machine;
        const done = await desk.finish(params.id, {
          code: body.code,
          name: body.name ?? machine.value.hello.name,
          place: body.place ?? { spare: false },
          by: caller.name,
        });
        return done.ok ? ok(atDesk(done.value)) : done;
      },
    }),
  ];
}

export function inventoryRoutes(parts: Retiring): Route[] {
  const { inventory, nodes } = parts;
  const params = object({ name });
  return [
    route({
      method: 'GET',
      path: '/api/v1/nodes/{name}/inventory',
      summary: 'Where a node stands, what it is made of, and how it came',
      role: 'view',
      params,
      reply: inventoryView,
      async handle({ params }) {
        const node = nodes.get(params.name);
        return node.ok ? ok(inventoryOf(inventory.of(params.name))) : node;
      },
    }),
    route({
      method: 'PUT',
      path: '/api/v1/nodes/{name}/place',
      summary: 'Say where a node stands, and whether it is a spare',
      role: 'operate',
      params,
      body: place,
      reply: inventoryView,
      async handle({ params, body }) {
        const node = nodes.get(params.name);
        if (!node.ok) return node;
        const { room: _room, rack: _rack, position: _position, ...rest } = inventory.of(params.name);
        const put = await inventory.put({ ...rest, ...body });
        if (put.ok) nodes.touch(params.name);
        return put.ok ? ok(inventoryOf(put.value)) : put;
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/nodes/{name}/retire',
      summary: 'End every lease of a node and make it forget its landlord; all its keys are destroyed',
      role: 'administer',
      params,
      body: object({ destroys: name }),
      reply: object({ ended: list(text({ max: 22 }), { max: limits.nodes_max }), receipts }),
      async handle({ params, body, caller }) {
        if (body.destroys !== params.name)
          return refuse('not-named', `destroys must be ${params.name}`, { where: 'destroys' });
        return retireNode(params.name, caller.name, parts);
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/retired',
      summary: 'Nodes that were retired or sold, with what they signed',
      role: 'view',
      reply: object({
        nodes: list(object({ identity: digest, record: inventoryView }), { max: limits.nodes_max }),
      }),
      async handle() {
        const all = await inventory.retired();
        if (!all.ok) return all;
        return ok({
          nodes: all.value.map((record) => ({
            identity: record.retired?.identity ?? '',
            record: inventoryOf(record),
          })),
        });
      },
    }),
  ];
}
