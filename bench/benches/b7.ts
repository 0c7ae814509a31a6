import type { EchoPlan, EchoReport } from '../echo.ts';
import { figure, percentile } from '../measure/statistics.ts';
import type { Options } from '../options.ts';
import type { Findings } from '../report/result.ts';
import { nextKeys } from '../round.ts';
import { verify, type Served } from '../verify.ts';
import { startWorld } from '../world.ts';
import { latencies } from './figures.ts';

/**
 * B7, as far as it goes: one action to a local echo through the hub, from asking to the outcome read back, next to
 * `fetch` straight to the echo. Both follow the same time-table in the same process.
 */
export async function b7(options: Options): Promise<Findings> {
  const world = await startWorld(options);
  try {
    const hub = await world.startHub();
    const token = await world.makeToken(hub.ready);
    const plan = (seconds: number): EchoPlan => ({
      address: hub.ready,
      token,
      stub: world.stub.ready,
      rate: options.rate,
      seconds,
      firstKey: nextKeys(),
    });
    await world.load.ask<EchoReport>('echo', plan(options.warm));
    await world.stub.ask('take');
    const reports: EchoReport[] = [];
    for (let nth = 0; nth < options.repeat; nth++)
      reports.push(await world.load.ask<EchoReport>('echo', plan(options.seconds)));
    const accepted = reports.flatMap((report) => report.accepted);
    const log = await world.stub.ask<Served[]>('take');
    const verdict = verify(log, { accepted, refused: [], unanswered: [] }, { steps: 1, faults: false });
    const added = (share: number): number[] =>
      reports.map(({ through, straight }) => percentile(through, share) - percentile(straight, share));
    return {
      title: `B7: one call through the hub, accept to outcome, at ${options.rate}/s`,
      postgres: world.facts,
      figures: [
        figure('added p50', 'ms', added(0.5)),
        figure('added p99', 'ms', added(0.99)),
        ...latencies(
          'through the hub',
          reports.map(({ through }) => through),
        ),
        ...latencies(
          'fetch straight to the echo',
          reports.map(({ straight }) => straight),
        ),
      ],
      checked: { 'calls accepted': verdict.accepted, 'steps served': verdict.served },
      faults: [...verdict.faults, ...reports.flatMap(({ faults }) => faults)],
    };
  } finally {
    await world.close();
  }
}
