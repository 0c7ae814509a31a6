import type { Socket } from 'node:net';
import { serveGets } from '../http/server.ts';
import { stepOf } from '../step.ts';
import type { Served } from '../verify.ts';
import { answerParent } from './messages.ts';

/**
 * The outside world: serves steps, and keeps the log of what it served, which is what every benchmark is verified by.
 * Whoever listens to its feed is told the key of every run whose last step it has served.
 */
const log: Served[] = [];
const listeners = new Set<Socket>();
let fresh = '';

const server = await serveGets(
  (path) => {
    const asked = stepOf(path);
    if (!asked) return path === '/echo' ? '{"echo":true}' : undefined;
    log.push({ key: asked.key, step: asked.step, at: Date.now() });
    if (asked.step === asked.last) announce(asked.key);
    return `{"step":${asked.step},"run":${asked.key},"text":"served by the stub"}`;
  },
  (socket) => {
    listeners.add(socket);
    socket.on('close', () => listeners.delete(socket));
    socket.write('listening\n');
  },
);

/** One write for everything of a turn of the loop. */
function announce(key: number): void {
  if (fresh === '') setImmediate(flush);
  fresh += `${key}\n`;
}

function flush(): void {
  for (const socket of listeners) socket.write(fresh, 'latin1');
  fresh = '';
}

answerParent(server.port, { take: () => log.splice(0), count: () => log.length });
