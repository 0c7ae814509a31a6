import { createServer, type Socket } from 'node:net';

/** Takes the target of a GET (`/s/1/2/7`), and gives the JSON of the answer; undefined answers 404. */
export type Serve = (path: string) => string | undefined;

/**
 * A server of GET requests that costs little of the machine under test. `stream` takes over connections that ask for
 * `/feed`: what it writes goes out as lines.
 *
 * @returns the port, and the end of the server
 */
export async function serveGets(
  serve: Serve,
  feed: (socket: Socket) => void,
): Promise<{ port: number; close: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.setEncoding('latin1');
    socket.on('error', () => {}); // `close` follows
    socket.on('close', () => sockets.delete(socket));
    let received = '';
    socket.on('data', (text: string) => {
      received += text;
      let answer = '';
      for (let end = received.indexOf('\r\n\r\n'); end >= 0; end = received.indexOf('\r\n\r\n')) {
        const path = received.slice(4, received.indexOf(' ', 4));
        received = received.slice(end + 4);
        if (path === '/feed') return feed(socket);
        answer += answerOf(serve(path));
      }
      if (answer !== '') socket.write(answer, 'latin1');
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The stub has no port.');
  return {
    port: address.port,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function answerOf(json: string | undefined): string {
  if (json === undefined) return 'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n';
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${json.length}\r\n\r\n${json}`;
}
