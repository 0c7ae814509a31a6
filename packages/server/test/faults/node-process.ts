// A node as a process of its own. Its one argument is `NodeSettings` as JSON; it prints its port when it serves.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { HubError } from '../../src/platform/errors.ts';
import { createLog } from '../../src/platform/log.ts';
import { startNode, type Ask, type NodeSettings } from './node.ts';

const log = createLog({ level: 'warn', destination: process.stderr });
const node = await startNode(JSON.parse(process.argv[2] ?? '') as NodeSettings, log);

/** Answers 202 when the call is committed, and never before. */
async function accept(message: IncomingMessage, reply: ServerResponse): Promise<void> {
  try {
    const id = await node.accept((await json(message)) as Ask);
    reply.writeHead(202).end(JSON.stringify({ id }));
  } catch (error) {
    const code = error instanceof HubError ? error.code : 'fault';
    reply.writeHead(503).end(JSON.stringify({ code }));
  }
}

const server = createServer((message, reply) => void accept(message, reply));
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});

// A test that is killed takes its nodes along.
process.stdin.resume().on('end', () => process.exit(1));
