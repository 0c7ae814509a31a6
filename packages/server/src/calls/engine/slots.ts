import { createHash } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import type { RetryClass } from './policy.ts';

/**
 * What one target bears from one tenant, on all living nodes together. Tenants do not share them: one tenant's bad
 * address must not close another's way.
 */
export interface TargetLimits {
  /** Attempts under way at once. */
  readonly concurrency: number;
  /** Attempts started in a second. */
  readonly rate?: number;
  /** Failures in a row that open the breaker, and for how many milliseconds. */
  readonly breaker: { readonly failures: number; readonly pause: number };
}

export interface SlotLimits {
  /** Attempts under way on this node. */
  readonly node: number;
  /** Attempts of one tenant under way on all nodes. */
  readonly tenant: number;
  readonly target: (target: string) => TargetLimits;
}

/** The right to make one attempt now. Ends once. */
export interface Slot {
  /** Gives it back, with what the attempt says about the target's health. */
  end(verdict: 'good' | 'bad' | 'none'): void;
}

/** How many calls of a lane could start now, and how many run. */
export interface LaneRoom {
  readonly lane: number;
  readonly room: number;
  readonly running: number;
}

interface Target {
  readonly tenant: string;
  readonly lane: number;
  readonly limits: TargetLimits;
  running: number;
  /** Calls this node left to be claimed, as far as it knows. */
  backlog: number;
  failures: number;
  /** The breaker is open until then; afterwards one attempt may try. */
  closedUntil: number;
  /** Starts left of the current second's worth, and when they were last filled up. */
  tokens: number;
  filled: number;
}

/** Targets remembered when nothing of them runs. */
const REMEMBERED = 10_000;

/**
 * Who may start what now, on this node (promise 8, engine rule 15): slots of the node, of the tenant and of the target,
 * the target's rate and its breaker. The limits that hold for all nodes together are divided by the living ones.
 *
 * The breaker is here and not around the attempt, because a call is owned only when it may start (engine rule 4): what
 * would be refused has to be known before.
 */
export class Slots {
  readonly #limits: SlotLimits;
  readonly #clock: Clock;
  readonly #tenants = new Map<string, number>();
  readonly #targets = new Map<string, Target>();
  #running = 0;
  #nodes = 1;

  constructor(limits: SlotLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** How many nodes share the limits. */
  share(nodes: number): void {
    this.#nodes = Math.max(1, nodes);
  }

  /** Attempts under way. */
  get running(): number {
    return this.#running;
  }

  /** Free slots of the node. */
  get room(): number {
    return this.#limits.node - this.#running;
  }

  /** The number under which calls of this tenant and target queue up. */
  lane(tenant: string, target: string): number {
    return this.#target(tenant, target).lane;
  }

  /** Lanes from which fewer than so many calls could start now; none from those with no room. */
  narrowLanes(below: number): LaneRoom[] {
    const now = this.#clock.now();
    return [...this.#targets.values()]
      .map((target) => ({ lane: target.lane, room: this.#roomOf(target, now), running: target.running }))
      .filter(({ room }) => room < below);
  }

  /** A slot for one attempt, or nothing when a limit is reached. */
  take(tenant: string, name: string): Slot | undefined {
    const target = this.#target(tenant, name);
    if (this.room <= 0 || this.#roomOf(target, this.#clock.now()) <= 0) return undefined;
    return this.#grant(target);
  }

  /** The same for a new call: not before those of its lane that wait already. */
  takeInTurn(tenant: string, name: string): Slot | undefined {
    return this.#target(tenant, name).backlog > 0 ? undefined : this.take(tenant, name);
  }

  /** A call of the lane was left to be claimed. */
  queued(tenant: string, name: string): void {
    this.#target(tenant, name).backlog++;
  }

  /** A call of the lane was claimed. */
  claimed(tenant: string, name: string): void {
    const target = this.#target(tenant, name);
    target.backlog = Math.max(0, target.backlog - 1);
  }

  /** Nothing is left to be claimed, except in lanes that have no room. */
  nothingQueued(): void {
    const now = this.#clock.now();
    for (const target of this.#targets.values()) if (this.#roomOf(target, now) > 0) target.backlog = 0;
  }

  /** A slot beyond the limits, for what is owned already. */
  insist(tenant: string, name: string): Slot {
    return this.#grant(this.#target(tenant, name));
  }

  #grant(target: Target): Slot {
    const { tenant } = target;
    this.#running++;
    this.#tenants.set(tenant, this.#ofTenant(tenant) + 1);
    target.running++;
    target.tokens--;
    let open = true;
    return {
      end: (verdict) => {
        if (!open) return;
        open = false;
        this.#running--;
        target.running--;
        this.#leaveTenant(tenant);
        this.#judge(target, verdict);
      },
    };
  }

  #ofTenant(tenant: string): number {
    return this.#tenants.get(tenant) ?? 0;
  }

  #leaveTenant(tenant: string): void {
    const left = this.#ofTenant(tenant) - 1;
    if (left > 0) this.#tenants.set(tenant, left);
    else this.#tenants.delete(tenant);
  }

  #judge(target: Target, verdict: 'good' | 'bad' | 'none'): void {
    if (verdict === 'none') return;
    target.failures = verdict === 'good' ? 0 : target.failures + 1;
    if (target.failures >= target.limits.breaker.failures)
      target.closedUntil = this.#clock.now() + target.limits.breaker.pause;
  }

  #roomOf(target: Target, now: number): number {
    const { limits } = target;
    const broken = target.failures >= limits.breaker.failures;
    if (broken && (now < target.closedUntil || target.running > 0)) return 0;
    const free = broken ? 1 : this.#portion(limits.concurrency) - target.running;
    const ofTenant = this.#portion(this.#limits.tenant) - this.#ofTenant(target.tenant);
    const started =
      limits.rate === undefined ? Number.POSITIVE_INFINITY : this.#refilled(target, limits.rate, now);
    return Math.max(0, Math.min(free, ofTenant, Math.floor(started)));
  }

  #refilled(target: Target, rate: number, now: number): number {
    const most = Math.max(1, rate / this.#nodes);
    target.tokens = Math.min(most, target.tokens + ((now - target.filled) / 1000) * (rate / this.#nodes));
    target.filled = now;
    return target.tokens;
  }

  #portion(limit: number): number {
    return Math.max(1, Math.floor(limit / this.#nodes));
  }

  #target(tenant: string, name: string): Target {
    const key = `${tenant} ${name}`;
    const known = this.#targets.get(key);
    if (known) return known;
    if (this.#targets.size >= REMEMBERED) this.#forgetIdle();
    const limits = this.#limits.target(name);
    const made: Target = {
      tenant,
      lane: laneOf(key),
      limits,
      running: 0,
      backlog: 0,
      failures: 0,
      closedUntil: 0,
      tokens: Math.max(1, limits.rate ?? 0),
      filled: this.#clock.now(),
    };
    this.#targets.set(key, made);
    return made;
  }

  #forgetIdle(): void {
    const now = this.#clock.now();
    for (const [key, { running, backlog, closedUntil }] of this.#targets)
      if (running === 0 && backlog === 0 && closedUntil <= now) this.#targets.delete(key);
  }
}

/** 48 bits of a digest: fits a number, and two lanes that fall together only share a turn. */
function laneOf(key: string): number {
  return createHash('sha256').update(key).digest().readUIntBE(0, 6);
}

/** What a failure says of the target's health: only that it is away or overloaded counts against it. */
export function verdictOn(error: RetryClass): 'bad' | 'none' {
  return error === 'unavailable' || error === 'timeout' ? 'bad' : 'none';
}
