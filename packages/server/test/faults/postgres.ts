import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbedded } from '../../src/platform/database/embedded/index.ts';
import { migrate, type DatabaseTarget } from '../../src/platform/database/index.ts';
import { createLog } from '../../src/platform/log.ts';
import type { Scope } from './scope.ts';
import { migrations } from '../support/test-server.ts';
import { until } from './until.ts';

/** A durable PostgreSQL of a test's own, which it may restart. */
export interface OwnServer {
  /** A new, migrated database. It goes with the server. */
  database(): Promise<DatabaseTarget>;
  /** Ends the server, `fast` with a last checkpoint or `immediate` like a crash; resolves when it serves again. */
  restart(how: 'fast' | 'immediate'): Promise<void>;
}

const silent = createLog({ level: 'silent' });

/** Starts one with `fsync` on. After a restart it stays away for `outage` milliseconds. */
export async function startOwnServer(t: Scope, { outage = 0 } = {}): Promise<OwnServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'linkspan-faults-'));
  const postgres = await startEmbedded({
    dataDir,
    log: silent,
    settings: { max_connections: '300' },
    retries: Array.from({ length: 100 }, () => outage),
  });
  t.after(async () => {
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  });
  return {
    async database() {
      const database = `faults_${randomUUID().replaceAll('-', '')}`;
      const client = new pg.Client(postgres.target);
      await client.connect();
      await client.query(`create database ${database} strategy file_copy`);
      await client.end();
      const target = { ...postgres.target, database };
      await migrate(target, migrations, silent);
      return target;
    },
    async restart(how) {
      const { pid } = postgres;
      process.kill(pid, how === 'fast' ? 'SIGINT' : 'SIGQUIT');
      await until('the database serves again', () => postgres.pid !== pid);
    },
  };
}
