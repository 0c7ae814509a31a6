/** Keys of one topic kept apart at most; beyond them a batch only tells that something was missed. */
const MOST_KEYS = 50_000;

/** What was sent about one topic: these keys (none where senders name no key), or more than was kept. */
export type News = ReadonlySet<string> | 'missed';

/** Signals that wait to be told together. What is sent twice is told once, so a batch is bounded. */
export class Batch {
  readonly #topics = new Map<string, Set<string> | 'missed'>();

  get isEmpty(): boolean {
    return this.#topics.size === 0;
  }

  get topics(): ReadonlyMap<string, News> {
    return this.#topics;
  }

  add(topic: string, key: string | undefined): void {
    let keys = this.#topics.get(topic);
    if (keys === 'missed') return;
    if (!keys) this.#topics.set(topic, (keys = new Set()));
    if (key === undefined) return;
    if (keys.size >= MOST_KEYS && !keys.has(key)) this.#topics.set(topic, 'missed');
    else keys.add(key);
  }

  addAll(other: Batch): void {
    for (const [topic, news] of other.topics) {
      if (news === 'missed') this.#topics.set(topic, news);
      else for (const key of [undefined, ...news]) this.add(topic, key);
    }
  }
}
