import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseEgressAllow } from './allow.ts';
import { rulesFrom, type EgressDecision } from './rules.ts';

const REFUSED: Readonly<Record<string, RegExp>> = {
  'http://db.internal': /without a scheme/,
  '*.internal': /wildcards/,
  '10.0.0.0/33': /number of bits/,
  '10.0.0.0/': /number of bits/,
  '10.0.0.0/8/8': /number of bits/,
  '10.0.0.5/8': /did you mean 10\.0\.0\.0\/8\?/,
  'fd00::1/8': /did you mean fd00::\/8\?/,
  'db.internal/8': /number of bits/,
  '/var/run/docker.sock': /number of bits/,
  'db.internal:0': /from 1 to 65535/,
  'db.internal:65536': /from 1 to 65535/,
  'db.internal:': /from 1 to 65535/,
  'db.internal:pg': /from 1 to 65535/,
  '[::1': /\[address\]:port/,
  '::1:8080:x': /\[address\]:port/,
  'fe80::1%eth0': /from 1 to 65535/,
  '127.1': /four decimal numbers/,
  '0x7f000001': /four decimal numbers/,
  'bad host': /not a host name/,
  'user@db': /not a host name/,
};

function decide(allow: string, host: string, address: string, port = 5432): EgressDecision {
  return rulesFrom(parseEgressAllow(allow)).decide({ host, port, address, kind: 'socket', scope: {} });
}

const ALLOWED: EgressDecision = { allowed: true, by: 'rule' };

describe('the allow list', () => {
  for (const [text, fault] of Object.entries(REFUSED))
    it(`refuses ${text}`, () => assert.throws(() => parseEgressAllow(`ok.internal,${text}`), fault));

  it('names every wrong entry, but none that may hold a password', () => {
    assert.throws(
      () => parseEgressAllow('*.a, db.internal, u:canary@db'),
      ({ message }: Error) => /entry 1 \("\*\.a"\).*entry 3: /.test(message) && !message.includes('canary'),
    );
  });

  it('is empty for an empty text', () => assert.deepEqual(parseEgressAllow(' , '), []));

  it('allows a name on every port, a pair on its own', () => {
    assert.deepEqual(decide('db.internal', 'db.internal', '10.0.0.1', 1), ALLOWED);
    assert.deepEqual(decide('DB.internal.:5432', 'db.internal', '10.0.0.1'), ALLOWED);
    assert.deepEqual(decide('db.internal:5432', 'db.internal', '10.0.0.1', 5433), {
      allowed: false,
      reason: 'private',
    });
    assert.deepEqual(decide('db.internal', 'x.db.internal', '10.0.0.1'), {
      allowed: false,
      reason: 'private',
    });
  });

  it('allows an address under whatever name it is found', () => {
    assert.deepEqual(decide('10.0.0.1', 'a.example', '10.0.0.1'), ALLOWED);
    assert.deepEqual(decide('[::1]:5432', 'localhost', '::1'), ALLOWED);
    assert.deepEqual(decide('::1', '::1', '0:0:0:0:0:0:0:1'), ALLOWED);
    assert.deepEqual(decide('10.0.0.1:1', '10.0.0.1', '10.0.0.1'), { allowed: false, reason: 'private' });
  });

  it('allows a range and nothing beside it', () => {
    assert.deepEqual(decide('10.0.0.0/8', '10.255.0.1', '10.255.0.1'), ALLOWED);
    assert.deepEqual(decide('10.0.0.0/8', '11.0.0.1', '11.0.0.1'), { allowed: true, by: 'public' });
    assert.deepEqual(decide('10.0.0.0/8', '192.168.0.1', '192.168.0.1'), {
      allowed: false,
      reason: 'private',
    });
    assert.deepEqual(decide('::/0', '10.0.0.1', '10.0.0.1'), { allowed: false, reason: 'private' });
  });

  it('opens a metadata service only by its exact address', () => {
    const refused = { allowed: false, reason: 'metadata' };
    assert.deepEqual(decide('0.0.0.0/0', '169.254.169.254', '169.254.169.254'), refused);
    assert.deepEqual(decide('my.name', 'my.name', '169.254.169.254'), refused);
    assert.deepEqual(decide('169.254.169.254', '169.254.169.254', '169.254.169.254'), ALLOWED);
    assert.deepEqual(decide('', 'metadata.google.internal', '8.8.8.8'), refused);
    assert.deepEqual(decide('169.254.169.254', 'metadata.google.internal', '169.254.169.254'), refused);
    assert.deepEqual(
      decide('169.254.169.254,metadata.google.internal', 'metadata.google.internal', '169.254.169.254'),
      ALLOWED,
    );
  });

  it('does not open what an allowed range embeds', () => {
    assert.deepEqual(decide('64:ff9b::/96', 'a', '64:ff9b::8.8.8.8'), ALLOWED);
    assert.deepEqual(decide('64:ff9b::/96', 'a', '64:ff9b::10.0.0.1'), { allowed: false, reason: 'private' });
    assert.deepEqual(decide('a', 'a', '::ffff:169.254.169.254'), { allowed: false, reason: 'metadata' });
    assert.deepEqual(decide('2002::/16', 'a', '2002:7f00:1::'), { allowed: false, reason: 'loopback' });
    assert.deepEqual(decide('2001::/32', 'a', '2001:0:808:808::80ff:fffe'), {
      allowed: false,
      reason: 'loopback',
    });
    assert.deepEqual(decide('', 'a', '2a00::5efe:10.0.0.1'), { allowed: false, reason: 'private' });
  });

  it('keeps blocked ports closed to HTTP unless host and port are named', () => {
    const http = (allow: string): EgressDecision =>
      rulesFrom(parseEgressAllow(allow)).decide({
        host: 'a.example',
        port: 25,
        address: '8.8.8.8',
        kind: 'http',
        scope: {},
      });
    assert.deepEqual(http(''), { allowed: false, reason: 'blocked-port' });
    assert.deepEqual(http('a.example'), { allowed: false, reason: 'blocked-port' });
    assert.deepEqual(http('a.example:25').allowed, true);
    assert.deepEqual(decide('', 'a.example', '8.8.8.8', 25).allowed, true);
  });
});
