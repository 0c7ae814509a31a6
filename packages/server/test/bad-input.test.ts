import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dial, sendRaw, untilClosed, type Question } from '../src/platform/http/testing.ts';
import { ADMIN } from './support/hub-process.ts';
import { sharedHub } from './support/shared-hub.ts';

/** One of each kind; the kinds themselves are taken apart in `platform/http`. */

const post = (body: string | Buffer, headers: Record<string, string> = {}): Question => ({
  method: 'POST',
  path: '/api/v1/tokens',
  token: ADMIN,
  body,
  headers,
});
const get = (path: string, headers: Record<string, string> = {}): Question => ({
  path,
  token: ADMIN,
  headers,
});

const deep = `{"name":${'['.repeat(200)}${']'.repeat(200)}}`;

const CASES: readonly (readonly [string, Question, number, string])[] = [
  ['a body that is no JSON', post('{"name":'), 400, 'invalid_request'],
  ['no body', { ...post(''), body: '' }, 400, 'invalid_request'],
  ['a body that is too large', post(Buffer.alloc((1 << 20) + 1, ' ')), 413, 'body_too_large'],
  ['a body that is too deep', post(deep), 400, 'invalid_request'],
  ['a key twice', post('{"name":"a","name":"b","permissions":["*"]}'), 400, 'invalid_request'],
  ['a value of the wrong type', post('{"name":1,"permissions":["*"]}'), 400, 'invalid_request'],
  ['an unknown field', post('{"name":"a","permissions":["*"],"x":1}'), 400, 'invalid_request'],
  ['an unknown permission', post('{"name":"a","permissions":["all"]}'), 400, 'invalid_request'],
  ['bytes that are no UTF-8', post(Buffer.from('{"name":"\xff"}', 'latin1')), 400, 'invalid_request'],
  [
    'another charset',
    post('{}', { 'content-type': 'application/json; charset=latin1' }),
    415,
    'unsupported_media_type',
  ],
  ['a compressed body', post('{}', { 'content-encoding': 'gzip' }), 415, 'unsupported_media_type'],
  [
    'a form',
    post('name=a', { 'content-type': 'application/x-www-form-urlencoded' }),
    415,
    'unsupported_media_type',
  ],
  ['an unknown query', get('/api/v1/tokens?unknown=1'), 400, 'invalid_request'],
  ['a query of the wrong type', get('/api/v1/tokens?limit=many'), 400, 'invalid_request'],
  [
    'a method the address does not take',
    { ...get('/api/v1/tokens'), method: 'PATCH' },
    405,
    'method_not_allowed',
  ],
  ['an unknown address', get('/api/v1/nothing'), 404, 'not_found'],
  ['a dot segment', get('/docs/../api/v1/tokens'), 404, 'not_found'],
  ['an encoded slash', get('/api%2fv1/tokens'), 404, 'not_found'],
  ['a doubled slash', get('//api/v1/tokens'), 404, 'not_found'],
  ['a slash at the end', get('/api/v1/tokens/'), 404, 'not_found'],
  ['a suffix that looks public', get('/api/v1/tokens;/healthz'), 404, 'not_found'],
  ['another host', get('/healthz', { host: 'evil.example' }), 421, 'host_not_allowed'],
  ['an address that is too long', get(`/healthz?${'x'.repeat(9_000)}`), 414, 'uri_too_long'],
];

describe('bad input', () => {
  const hub = sharedHub();

  for (const [what, question, status, code] of CASES)
    it(`${what} is answered with ${status} ${code}`, async () => {
      const answer = await hub.process.ask(question);
      assert.equal(answer.status, status, answer.text);
      assert.equal(answer.json['code'], code);
      assert.equal(answer.headers['content-type'], 'application/problem+json');
      if (status === 405) assert.equal(answer.headers['allow'], 'GET, HEAD, OPTIONS, POST');
      if (code === 'invalid_request') assert.ok((answer.json['faults'] as unknown[]).length > 0);
    });

  it('names all faults of a body at once', async () => {
    const { json } = await hub.process.ask(post('{"name":"","permissions":[],"x":1}'));
    const faults = json['faults'] as { path: string }[];
    assert.deepEqual(faults.map(({ path }) => path).toSorted(), ['/name', '/permissions', '/x']);
  });

  it('what is not HTTP is refused, and an upload that is cut off leaves nothing behind', async () => {
    const { port } = hub.process;
    assert.equal((await sendRaw(port, 'nonsense\r\n\r\n')).status, 400);
    const socket = await dial(port);
    socket.write(
      `POST /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${ADMIN}\r\n` +
        'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"name":"cut off","permissions":["*"]}',
    );
    socket.end();
    await untilClosed(socket);
    const { json } = await hub.process.ask(get('/api/v1/tokens'));
    assert.deepEqual(json['items'], [], 'nothing of all this was kept');
    assert.equal((await hub.process.ask(get('/readyz'))).status, 200);
  });
});
