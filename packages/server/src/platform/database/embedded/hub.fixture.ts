// A process that holds an embedded PostgreSQL, as a hub does. It tells in one line of JSON how the start went and
// runs until SIGTERM. SIGHUP makes it exit without stopping anything, as after an uncaught error.
//     node hub.fixture.ts <data directory> [<package directory>]
import { HubError } from '../../errors.ts';
import { createLog } from '../../log.ts';
import { startEmbedded } from './embedded.ts';

const [dataDir = '', packageDirectory] = process.argv.slice(2);
const tell = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const log = createLog({ level: 'silent' });

try {
  const postgres = await startEmbedded({ dataDir, log, ...(packageDirectory ? { packageDirectory } : {}) });
  process.once('SIGTERM', () => void postgres.stop());
  process.once('SIGHUP', () => process.exit(3));
  tell({ pid: process.pid, server: postgres.pid, target: postgres.target });
} catch (error) {
  tell(
    error instanceof HubError
      ? { code: error.code, detail: error.message }
      : { code: 'not_a_hub_error', detail: String(error) },
  );
}
