import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HubError } from '../../platform/errors.ts';
import type { CloudEvent } from '../event.ts';
import { fromEnvelope, toEnvelope, type Envelope } from './envelope.ts';
import { canonicalName, scheduleTimes, spellingsOf, withScheduleTimes } from './names.ts';

const owner = { tenant: 'a-tenant', actor: 'somebody' };

/** Values as JSON has them: what is not written does not come back. */
const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown);
const text = fc.string({ minLength: 1, unit: 'grapheme' }).filter((value) => value.isWellFormed());
const names = fc.oneof(
  text,
  fc.constantFrom(
    'flow.execute',
    'flow.executed',
    'iam.user.removedFormTenant',
    'iam.user.removedFromTenant',
    'secret-service.token.get',
    'secrets.token.get',
    'oih.flow.started',
    'linkspan.call.ended',
  ),
);
const instants = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') });
const createdAt = fc.oneof(
  instants.map((date) => date.getTime()),
  fc.double({ min: 0, max: 4e12, noNaN: true }).filter((ms) => !Object.is(ms, -0)),
  instants.map((date) => date.toISOString()),
  instants.map((date) => date.toUTCString()),
);
const others = fc.dictionary(
  text.filter((name) => name !== '__proto__'),
  json,
  { maxKeys: 3, noNullPrototype: true },
);

const envelopes: fc.Arbitrary<Envelope> = fc
  .record({ others, name: names, createdAt, serviceName: text, payload: fc.option(json, { nil: undefined }) })
  .map(({ others: more, payload, ...headers }) => ({
    headers: { ...more, ...headers },
    ...(payload !== undefined && { payload }),
  }));

const events: fc.Arbitrary<CloudEvent> = fc
  .record({
    id: fc.uuid(),
    source: fc.constantFrom('/linkspan', '/oih/flow-repository', 'urn:mine'),
    type: fc.constantFrom('linkspan.call.ended', 'app.order.placed', 'oih.flow.started'),
    partitionkey: text,
    time: instants.map((date) => date.toISOString()),
    subject: text,
    correlation: text,
    data: json,
  })
  .map((event) => ({ specversion: '1.0', ...owner, ...event }));

const whole = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

describe('the envelope of an Open Integration Hub', () => {
  it('comes back as it was, over the wire as well', () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        assert.deepEqual(whole(toEnvelope(whole(fromEnvelope(envelope, owner)))), whole(envelope));
      }),
    );
  });

  it('brings an event of ours back as it was', () => {
    fc.assert(
      fc.property(events, (event) => {
        assert.deepEqual(whole(fromEnvelope(whole(toEnvelope(event)), owner)), whole(event));
      }),
    );
  });

  it('brings an event that came as an envelope back as it was', () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        const event = whole(fromEnvelope(envelope, owner));
        assert.deepEqual(whole(fromEnvelope(whole(toEnvelope(event)), owner)), event);
      }),
    );
  });

  it('gives an envelope that is delivered twice one id, and another one another', () => {
    const one = { headers: { name: 'flow.started', createdAt: 1, serviceName: 's' }, payload: { id: 'f' } };
    const again = { payload: { id: 'f' }, headers: { serviceName: 's', createdAt: 1, name: 'flow.started' } };
    const other = { ...one, payload: { id: 'g' } };
    assert.equal(fromEnvelope(one, owner).id, fromEnvelope(again, owner).id);
    assert.notEqual(fromEnvelope(one, owner).id, fromEnvelope(other, owner).id);
  });

  it('says nothing about whose event it is', () => {
    const [mine] = fc.sample(events, 1);
    const theirs = toEnvelope({ ...mine!, tenant: 'another', actor: 'root' });
    assert.deepEqual(fromEnvelope(theirs, owner), mine);
  });

  it('is refused without a name, a service or a time', () => {
    const good = { name: 'n', createdAt: 1, serviceName: 's' };
    for (const headers of [
      undefined,
      { ...good, name: '' },
      { ...good, serviceName: 5 },
      { ...good, createdAt: 'soon' },
      { ...good, createdAt: 9e15 },
      { ...good, name: '\ud800' },
    ])
      assert.throws(
        () => fromEnvelope({ headers } as unknown as Envelope, owner),
        (error) => error instanceof HubError && error.code === 'envelope_invalid',
      );
  });
});

describe('names that are spelled in two ways', () => {
  it('have one type', () => {
    assert.equal(canonicalName('flow.executed'), 'flow.execute');
    assert.equal(canonicalName('secret-service.secret.created'), 'secrets.secret.created');
    assert.equal(canonicalName('iam.user.removedFormTenant'), 'iam.user.removedFromTenant');
    assert.equal(canonicalName('toString'), 'toString');
    const spelled = { headers: { name: 'flow.executed', createdAt: 1, serviceName: 's' } };
    assert.equal(fromEnvelope(spelled, owner).type, 'oih.flow.execute');
    assert.equal(toEnvelope(fromEnvelope(spelled, owner)).headers.name, 'flow.executed');
  });

  it('are known by all their spellings, whichever one asks by', () => {
    for (const name of ['secrets.token.get', 'secret-service.token.get'])
      assert.deepEqual(spellingsOf(name), ['secrets.token.get', 'secret-service.token.get']);
    assert.deepEqual(spellingsOf('flow.execute'), ['flow.execute', 'flow.executed']);
    assert.deepEqual(spellingsOf('flow.started'), ['flow.started']);
  });

  it('hold for the times of a schedule, which are written in both', () => {
    const times = { scheduled: 1, next: 2 };
    assert.deepEqual(scheduleTimes({ sheduledTimestamp: 1, nextSheduledTimestamp: 2 }), times);
    assert.deepEqual(scheduleTimes({ scheduledTimestamp: 1, nextScheduledTimestamp: 2 }), times);
    assert.deepEqual(scheduleTimes(withScheduleTimes({ other: 3 }, times)), times);
    assert.equal(withScheduleTimes({ other: 3 }, times)['sheduledTimestamp'], 1);
  });
});
