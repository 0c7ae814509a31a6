import type { CloudEvent } from '../event.ts';
import { insertEvents } from '../store.ts';
import type { Beginning, Bus, Member, PartitionState, SeekTarget, Topic } from './bus.ts';
import { PostgresMember, type MemberParts } from './postgres-member.ts';
import * as store from './postgres-store.ts';

export type PostgresBusParts = Omit<MemberParts, 'lease'> & Partial<Pick<MemberParts, 'lease'>>;

/** Milliseconds. */
const LEASE = 10_000;

/** The bus every hub has: the log of events in PostgreSQL. */
export function createPostgresBus(parts: PostgresBusParts): Bus {
  return new PostgresBus({ lease: LEASE, ...parts });
}

class PostgresBus implements Bus {
  readonly #parts: MemberParts;
  readonly #members = new Set<Member>();

  constructor(parts: MemberParts) {
    this.#parts = parts;
  }

  declare(topic: Topic): Promise<Topic> {
    return this.#parts.database.acrossTenants((tx) => store.declareTopic(tx, topic));
  }

  async append(topic: string, events: readonly CloudEvent[]): Promise<void> {
    await this.#parts.database.acrossTenants((tx) => insertEvents(tx, topic, events));
    this.#parts.wake.tell();
  }

  async join(topic: string, consumer: string, from: Beginning): Promise<Member> {
    const group = await this.#group(topic, consumer);
    await this.#parts.database.acrossTenants((tx) => store.ensureGroup(tx, group, from));
    const member = new PostgresMember(this.#parts, group);
    this.#members.add(member);
    await member.start();
    return member;
  }

  consumers(topic: string): Promise<readonly string[]> {
    return this.#parts.database.acrossTenants((tx) => store.consumerNames(tx, topic));
  }

  async state(topic: string, consumer: string): Promise<readonly PartitionState[]> {
    const group = await this.#group(topic, consumer);
    return this.#parts.database.acrossTenants((tx) => store.groupState(tx, group));
  }

  async seek(topic: string, consumer: string, target: SeekTarget): Promise<void> {
    const group = await this.#group(topic, consumer);
    await this.#parts.database.acrossTenants((tx) => store.movePositions(tx, group, target));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#members].map((member) => member.leave()));
    this.#members.clear();
  }

  async #group(topic: string, consumer: string): Promise<store.Group> {
    const found = await this.#parts.database.acrossTenants((tx) => store.topicNamed(tx, topic));
    if (!found) throw new Error(`The topic ${topic} was not declared.`);
    return { topic: found, consumer };
  }
}
