import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { defineRoute } from './index.ts';

/** The types refuse what the start of the server refuses; `tsc` fails when one of these lines compiles. */

const closed = { additionalProperties: false };
const Body = Type.Object({ name: Type.String() }, closed);
const Params = Type.Object({ id: Type.String() }, closed);
const replies = { 204: { description: 'Done.', empty: true } } as const;
const handle = () => ({ status: 204 }) as const;
const read = {
  method: 'GET',
  path: '/x',
  summary: 'x',
  audit: { none: 'only reads' },
  replies,
  handle,
} as const;
const write = { method: 'POST', path: '/x', summary: 'x', access: 'tokens:write', replies, handle } as const;

test('a route that lacks what it must declare does not compile', () => {
  const made = [
    defineRoute({ ...read, access: 'tokens:read' }),
    defineRoute({ ...read, access: { public: 'a stated reason' } }),
    // @ts-expect-error no access
    defineRoute({ ...read }),
    // @ts-expect-error a permission outside the catalogue
    defineRoute({ ...read, access: 'tokens:raed' }),
    // @ts-expect-error public without a reason
    defineRoute({ ...read, access: { public: true } }),

    defineRoute({ ...write, audit: 'token.create', body: Body }),
    defineRoute({ ...write, audit: 'token.create', body: 'none' }),
    // @ts-expect-error no audit entry
    defineRoute({ ...write, body: Body }),
    // @ts-expect-error an audit entry outside the vocabulary
    defineRoute({ ...write, audit: 'token.creat', body: Body }),
    // @ts-expect-error no audit entry without a reason
    defineRoute({ ...write, audit: { none: true }, body: Body }),
    // @ts-expect-error a method with a body, and no schema for it
    defineRoute({ ...write, audit: 'token.create' }),
    // @ts-expect-error a body where none belongs
    defineRoute({ ...read, access: 'tokens:read', body: Body }),

    defineRoute({ ...read, access: 'tokens:read', path: '/x/:id', params: Params }),
    // @ts-expect-error a path with a value, and no schema for it
    defineRoute({ ...read, access: 'tokens:read', path: '/x/:id' }),

    // @ts-expect-error no replies
    defineRoute({ ...read, access: 'tokens:read', replies: undefined }),
    // @ts-expect-error a reply without a schema
    defineRoute({ ...read, access: 'tokens:read', replies: { 204: { description: 'Done.' } } }),
    // @ts-expect-error a status that is not declared
    defineRoute({ ...read, access: 'tokens:read', handle: () => ({ status: 200 }) }),
  ];
  assert.equal(made.length, 17);
});

test('handlers get what their schemas promise, and give what their replies promise', () => {
  const Reply = Type.Object({ length: Type.Integer() }, closed);
  const route = defineRoute({
    method: 'PUT',
    path: '/x/:id',
    summary: 'x',
    access: 'tokens:write',
    audit: { none: 'for this test' },
    params: Params,
    query: Type.Object({ limit: Type.Optional(Type.Integer()) }, closed),
    body: Body,
    replies: { 200: { description: 'Its length.', schema: Reply } },
    handle({ caller, params, query, body }) {
      const text: string = caller.tenant + params.id + body.name;
      const limit: number | undefined = query.limit;
      // @ts-expect-error not a field of the body
      void body.other;
      return { status: 200, body: { length: text.length + (limit ?? 0) } };
    },
  });
  assert.equal(route.method, 'PUT');

  defineRoute({
    ...read,
    access: 'tokens:read',
    replies: { 200: { description: 'Its length.', schema: Reply } },
    // @ts-expect-error not what the reply declares
    handle: () => ({ status: 200, body: { length: 'long' } }),
  });
  defineRoute({
    ...read,
    access: { public: 'a stated reason' },
    // @ts-expect-error a public route has no caller
    handle: ({ caller }) => (caller.tenant ? handle() : handle()),
  });
});
