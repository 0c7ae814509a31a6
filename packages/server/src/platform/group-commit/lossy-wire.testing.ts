// For tests: a wire to the database that can lose an answer, stand still, or break.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import pg from 'pg';
import type { DatabaseTarget } from '../database/index.ts';

export interface LossyWire {
  /** The same database, reached through the wire. */
  readonly target: DatabaseTarget;
  /**
   * The next thing the server answers is dropped, and its connection cut. It answers only after its commit. `to` is text
   * of the statement it must be the answer to.
   */
  loseNextAnswer(to?: string): void;
  /** Nothing passes until `resume`, as if the process at the near end were stopped. */
  pause(): void;
  resume(): void;
  /** Breaks for good. */
  cut(): void;
}

export async function openLossyWire(
  t: { after(work: () => void): void },
  target: DatabaseTarget,
): Promise<LossyWire> {
  const { user = '', password, database = '', host, port } = new pg.Client(target);
  const sockets = new Set<Socket>();
  let losing: string | undefined;
  let paused = false;
  const server = createServer((near) => {
    const far = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    const cut = (): void => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', cut).on('close', () => {
        sockets.delete(socket);
        cut();
      });
    }
    // A statement is sent as text once, and by its name after that.
    let last = '';
    near.on('data', (sent) => {
      last = sent.toString('latin1');
      far.write(sent);
    });
    if (paused) for (const socket of [near, far]) socket.pause();
    far.on('data', (answer) => {
      if (losing === undefined || !last.includes(losing)) {
        near.write(answer);
        return;
      }
      losing = undefined;
      cut();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const end = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  t.after(end);
  const address = server.address() as AddressInfo;
  return {
    target: { host: '127.0.0.1', port: address.port, user, password: password ?? '', database },
    loseNextAnswer: (to = '') => (losing = to),
    pause() {
      paused = true;
      for (const socket of sockets) socket.pause();
    },
    resume() {
      paused = false;
      for (const socket of sockets) socket.resume();
    },
    cut: end,
  };
}
