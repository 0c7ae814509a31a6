import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { Client } from 'pg';
import type { DatabaseTarget } from '../database/index.ts';

/** A wire to a database that can fall silent: its connections stay open, and nothing passes any more. */
export interface Wire {
  readonly target: DatabaseTarget;
  /** Freezes the connections there are; later ones pass. */
  freeze(): void;
}

export async function layWire(t: TestContext, to: DatabaseTarget): Promise<Wire> {
  const { host, port, user, password, database } = new Client(to);
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    near.pipe(far).pipe(near);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    target: {
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      ...(user === undefined ? {} : { user }),
      ...(password ? { password } : {}),
      ...(database === undefined ? {} : { database }),
    },
    freeze() {
      for (const socket of sockets) socket.unpipe().pause();
    },
  };
}
