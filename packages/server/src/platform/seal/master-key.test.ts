import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { HubError } from '../errors.ts';
import { checkValue, MasterKey, parseMasterKey, requireMasterKey } from './master-key.ts';

const bytes = randomBytes(32);
const forms = [
  bytes.toString('hex'),
  bytes.toString('hex').toUpperCase(),
  bytes.toString('base64'),
  bytes.toString('base64').replace('=', ''),
  `\n ${bytes.toString('hex')}\r\n`,
];

describe('a master key as text', () => {
  it('is read as hexadecimal and as base64, with space around it', () => {
    const ids = forms.map((form) => parseMasterKey(form, 'x').id);
    assert.deepEqual(new Set(ids), new Set([new MasterKey(Buffer.from(bytes)).id]));
  });

  it('is refused in any other form, without being repeated', () => {
    const hex = bytes.toString('hex');
    const wrong = [
      '',
      hex.slice(1),
      `${hex}0`,
      hex.replace(/./, 'g'),
      `${hex.slice(0, 32)} ${hex.slice(32)}`,
      bytes.toString('base64url').replace(/^./, '-'),
      randomBytes(31).toString('base64'),
      randomBytes(33).toString('base64'),
      `${'A'.repeat(42)}B=`, // its last bits are none of a key's
      'correct horse battery staple',
    ];
    for (const text of wrong) {
      assert.throws(
        () => parseMasterKey(text, 'The file k'),
        (error) =>
          error instanceof HubError &&
          error.code === 'master_key_invalid' &&
          error.message.startsWith('The file k: expected') &&
          (text === '' || !error.message.includes(text)),
      );
    }
  });

  it('of any 32 bytes is read alike in both forms', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
        const idOf = (form: 'hex' | 'base64') => parseMasterKey(Buffer.from(key).toString(form), 'x').id;
        return idOf('hex') === idOf('base64');
      }),
    );
  });
});

describe('a master key', () => {
  it('shows itself nowhere and wipes the bytes it was made from', () => {
    const source = Buffer.from(bytes);
    const master = new MasterKey(source);
    assert.deepEqual(source, Buffer.alloc(32));
    const shown = `${inspect(master, { showHidden: true, depth: 9 })}${JSON.stringify(master)}`;
    for (const form of forms) assert.ok(!shown.includes(form.trim()));
    assert.ok(!shown.includes(checkValue(master).toString('hex')));
  });

  it('is recognised by its check value, which is neither the key nor part of it', () => {
    const [one, other] = [new MasterKey(Buffer.from(bytes)), new MasterKey(randomBytes(32))];
    assert.equal(requireMasterKey(checkValue(one), [other, one]), one);
    assert.ok(!checkValue(one).equals(bytes));
    for (const stored of [checkValue(other), Buffer.alloc(0), checkValue(one).subarray(1)]) {
      assert.throws(() => requireMasterKey(stored, [one]), { code: 'master_key_mismatch' });
    }
  });

  it('gives one key to sign with for each purpose, the same wherever it is loaded', () => {
    const signed = (master: MasterKey, purpose: string) =>
      master.signingKey(purpose).mac(Buffer.from('x')).toString('hex');
    const one = new MasterKey(Buffer.from(bytes));
    const made = signed(one, 'callbacks');
    assert.equal(signed(new MasterKey(Buffer.from(bytes)), 'callbacks'), made);
    assert.notEqual(signed(one, 'other'), made);
    assert.notEqual(signed(new MasterKey(randomBytes(32)), 'callbacks'), made);
    assert.notEqual(one.signingKey('callbacks').mac(Buffer.from('y')).toString('hex'), made);
  });
});
