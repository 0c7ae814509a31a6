import { Counter, Histogram, type Registry } from 'prom-client';
import type { Refusal } from './guard.ts';

/** Targets that get a label of their own; the others share one. */
const MOST_TARGETS = 200;

export interface EgressMetrics {
  /** Counts a request by its target and outcome (`answered` or an error's code) and the seconds until its head came. */
  record(target: string, outcome: string, seconds: number): void;
  refused(refusal: Refusal): void;
}

export function createMetrics(registry: Registry): EgressMetrics {
  const requests = new Counter({
    name: 'linkspan_egress_requests_total',
    help: 'Outgoing requests by target and outcome.',
    labelNames: ['target', 'outcome'],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'linkspan_egress_seconds',
    help: 'Seconds until the head of the answer, by target.',
    labelNames: ['target'],
    buckets: [0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: [registry],
  });
  const refusals = new Counter({
    name: 'linkspan_egress_refused_total',
    help: 'Outgoing connections that were refused, by the rule that refused them.',
    labelNames: ['reason'],
    registers: [registry],
  });
  const targets = new Map<string, { answered: Counter.Internal; seconds: Histogram.Internal<'target'> }>();

  function of(target: string) {
    const label = targets.has(target) || targets.size < MOST_TARGETS ? target : 'other';
    let kept = targets.get(label);
    if (kept === undefined) {
      kept = { answered: requests.labels(label, 'answered'), seconds: seconds.labels(label) };
      targets.set(label, kept);
    }
    return { label, ...kept };
  }

  return {
    record(target, outcome, took) {
      const kept = of(target);
      if (outcome === 'answered') kept.answered.inc();
      else requests.labels(kept.label, outcome).inc();
      kept.seconds.observe(took);
    },
    refused: ({ reason }) => refusals.labels(reason).inc(),
  };
}
