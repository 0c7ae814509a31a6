import { createLog } from '../../src/platform/log.ts';
import type { DatabaseTarget } from '../../src/platform/database/index.ts';
import { createClients, type Clients } from './clients.ts';
import { startNode, type Node } from './node.ts';
import type { OwnServer } from './postgres.ts';
import { startNodeProcess, type NodeProcess } from './processes.ts';
import { startProxy, type DatabaseProxy } from './proxy.ts';
import { inReverse, type Scope } from './scope.ts';
import { startStub, type Stub } from './stub.ts';

/** A database, the outside world, and callers: what several nodes share. */
export interface Scene {
  /** The way to the database that nothing disturbs. */
  readonly target: DatabaseTarget;
  readonly stub: Stub;
  readonly clients: Clients;
  /** A node of this process, and its own way to the database. */
  readonly node: (lease: number) => Promise<{ node: Node; proxy: DatabaseProxy }>;
  /** A node in a process of its own, and its own way to the database. */
  readonly process: (lease: number) => Promise<{ node: NodeProcess; proxy: DatabaseProxy }>;
}

export async function setScene(scope: Scope, server: OwnServer): Promise<Scene> {
  const t = inReverse(scope);
  const target = await server.database();
  const stub = await startStub(t);
  const newProxy = async (): Promise<DatabaseProxy> => {
    const proxy = await startProxy(target);
    t.after(() => proxy.close());
    return proxy;
  };
  return {
    target,
    stub,
    clients: createClients(t),
    async node(lease) {
      const proxy = await newProxy();
      const log = createLog({ level: 'silent' });
      const node = await startNode({ database: proxy.target, stub: stub.address, lease }, log);
      t.after(() => node.close());
      return { node, proxy };
    },
    async process(lease) {
      const proxy = await newProxy();
      return {
        node: await startNodeProcess(t, { database: proxy.target, stub: stub.address, lease }),
        proxy,
      };
    },
  };
}
