import { Histogram, type Registry } from 'prom-client';

/** Notes that a request to a route of this pattern ended. */
export type Measure = (method: string, route: string, status: number, ms: number) => void;

/**
 * Measures requests by method, route pattern and status. None of the three is text from a client: routes are
 * patterns, an address without one counts as `unknown`, and so does a method the hub does not speak.
 */
export function requestMeasure(registry: Registry): Measure {
  const histogram = new Histogram({
    name: 'linkspan_http_request_duration_seconds',
    help: 'Time from the arrival of a request to the end of its answer, in seconds.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [registry],
  });
  return (method, route, status, ms) =>
    histogram.observe({ method: KNOWN.has(method) ? method : 'unknown', route, status }, ms / 1000);
}

const KNOWN = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
