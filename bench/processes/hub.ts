import { startHub } from '../../packages/server/src/compose.ts';
import { loadConfig } from '../../packages/server/src/config.ts';
import { createLog } from '../../packages/server/src/platform/log.ts';
import { newId } from '../../packages/server/src/platform/ids.ts';
import { inputAfter, stepOf } from '../step.ts';
import { answerParent } from './messages.ts';

/**
 * The hub as it is composed for everyone, with its default configuration, and one addition: runs. A call whose
 * address says that it is the first of several steps becomes the first call of a run, and the continuation names the
 * next one. This is how flows are made of calls.
 */
const config = loadConfig();
const log = createLog({ level: config.logLevel });

const hub = await startHub(config, {
  log,
  placeOf(_caller, { input }) {
    const first = stepOf((input as { url: string }).url);
    return first && first.last > 1 ? { run: newId() } : undefined;
  },
  continuations: {
    callEnded({ call: { tenant, principal, action, target, run, input }, state }) {
      const next = state === 'succeeded' ? inputAfter(input) : undefined;
      if (next === undefined || run === undefined) return [];
      return [{ tenant, ...(principal && { principal }), action, target, input: next, place: { run } }];
    },
  },
});

process.on('SIGTERM', () => {
  void hub.stop(config.shutdownGrace * 1000).then(() => process.exit(0));
});
answerParent(hub.address, { memory: () => process.memoryUsage(), collect: () => globalThis.gc?.() });
