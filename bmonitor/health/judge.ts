import type { ItemHealth, Reading, Subject, SubjectHealth } from '../ports/health.js';
import { subjects } from '../ports/health.js';

/** What was known of one reading before: what a counter stood at, and when it last rose. */
interface Before {
  readonly health: ItemHealth;
  readonly count?: number;
  readonly rose_s?: number;
}

/** How long a fault that was counted stays in sight after the last one: shorter, and nobody would see it. */
export const hold_s = 600;

/** Judges what was read, round after round. Pure: it is given the time. What is not there is unknown, never good. */
export class HealthJudge {
  #items = new Map<string, Before>();
  /** Asked for with every `status`, and another only after a round. */
  #subjects: readonly SubjectHealth[] | undefined;

  /** Takes one round of readings in, and gives the items whose state changed. */
  take(readings: readonly Reading[], now_s: number): readonly ItemHealth[] {
    const next = new Map<string, Before>();
    const changed: ItemHealth[] = [];
    for (const reading of readings) {
      const name = `${reading.subject} ${reading.item}`;
      const before = this.#items.get(name);
      const judged = judge(reading, before, now_s);
      next.set(name, judged);
      // At first nothing is known, so a first good is no news, and a first bad is.
      const was = before?.health.state ?? 'good';
      const is = judged.health.state;
      if (is !== was && (before !== undefined || is === 'bad')) changed.push(judged.health);
    }
    this.#items = next;
    this.#subjects = undefined;
    return changed;
  }

  /** Of each subject: bad if anything of it is, good if something is known and nothing bad. */
  get subjects(): readonly SubjectHealth[] {
    return (this.#subjects ??= this.#gathered());
  }

  #gathered(): readonly SubjectHealth[] {
    const all = [...this.#items.values()].map(({ health }) => health);
    return subjects.map((subject) => {
      const items = all.filter((item) => item.subject === subject);
      return { subject, state: worst(items), items };
    });
  }
}

function worst(items: readonly ItemHealth[]): ItemHealth['state'] {
  if (items.some(({ state }) => state === 'bad')) return 'bad';
  return items.some(({ state }) => state === 'good') ? 'good' : 'unknown';
}

function judge(reading: Reading, before: Before | undefined, now_s: number): Before {
  const { subject, item } = reading;
  const health = (state: ItemHealth['state'], said: string, limit?: string): ItemHealth => ({
    subject,
    item,
    state,
    since_s: before?.health.state === state ? before.health.since_s : now_s,
    reading: said,
    ...(limit === undefined ? {} : { limit }),
  });
  switch (reading.kind) {
    case 'absent':
      return { health: health('unknown', reading.why) };
    case 'check':
      return { health: health(reading.ok ? 'good' : 'bad', reading.said) };
    case 'level': {
      const { value, unit, most, least } = reading;
      const bad = (most !== undefined && value > most) || (least !== undefined && value < least);
      const bounds = [
        least === undefined ? '' : `at least ${least}`,
        most === undefined ? '' : `at most ${most}`,
      ];
      const limit = bounds.filter((text) => text !== '').join(', ');
      if (limit === '') return { health: health('unknown', `${value} ${unit}, no limit is known`) };
      return { health: health(bad ? 'bad' : 'good', `${value} ${unit}`, `${limit} ${unit}`) };
    }
    case 'count': {
      const { value, allowed = 0 } = reading;
      // A counter that fell was set back, by a reboot or a new driver: counted from there.
      const rose = before?.count !== undefined && value - before.count > allowed;
      const rose_s = rose ? now_s : before?.rose_s;
      const bad = rose_s !== undefined && now_s - rose_s < hold_s;
      return {
        health: health(
          bad ? 'bad' : 'good',
          `${value} so far`,
          `rises by at most ${allowed} between two readings`,
        ),
        count: value,
        ...(rose_s === undefined ? {} : { rose_s }),
      };
    }
  }
}

export function summaryOf(all: readonly SubjectHealth[]): Readonly<Record<Subject, string>> {
  return Object.fromEntries(all.map(({ subject, state }) => [subject, state])) as Record<Subject, string>;
}
