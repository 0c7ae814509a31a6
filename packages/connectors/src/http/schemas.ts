import { file, json, object, record, secret, Type, type Static } from '@linkspan/sdk';

/** What `http/request` takes and gives. */

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

const Text = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);
const Texts = Type.Union([Text, Type.Array(Text, { maxItems: 100 })]);
const ContentType = Type.Optional(Type.String({ minLength: 1, maxLength: 200 }));

const Body = Type.Union(
  [
    object({ json: json('Any JSON.') }, { title: 'JSON' }),
    object({ form: record(Texts) }, { title: 'Form fields' }),
    object({ text: Type.String(), contentType: ContentType }, { title: 'Text' }),
    object({ base64: file(), contentType: ContentType }, { title: 'Bytes' }),
  ],
  { description: 'One of `json`, `form`, `text` and `base64`. GET and HEAD have none.' },
);

const Auth = Type.Union(
  [
    object(
      { username: Type.String(), password: secret(Type.String()) },
      { title: 'User name and password (basic)' },
    ),
    object({ bearer: secret() }, { title: 'Bearer token' }),
  ],
  { description: 'Sent as the header `Authorization`; not shown to another origin by a redirect.' },
);

export const input = object({
  method: Type.Optional(Type.Enum(METHODS, { default: 'GET' })),
  url: Type.String({ minLength: 1, maxLength: 8_192, description: 'An http or https address.' }),
  query: Type.Optional(record(Texts, { description: 'Added to the query of the address.' })),
  headers: Type.Optional(record(Type.String())),
  secretHeaders: Type.Optional(
    secret(
      record(Type.String(), {
        description:
          'Headers whose values are secret, such as API keys. Not shown to another origin by a redirect.',
      }),
    ),
  ),
  auth: Type.Optional(Auth),
  body: Type.Optional(Body),
  failOn: Type.Optional(
    Type.Array(Type.String({ pattern: '^[1-5](xx|[0-9][0-9])$' }), {
      maxItems: 100,
      default: ['4xx', '5xx'],
      description: 'Statuses the action fails on: `404`, or `4xx` for all of a kind. An empty list: none.',
    }),
  ),
  followRedirects: Type.Optional(
    Type.Boolean({ default: true, description: 'When false, a redirect is the answer.' }),
  ),
  idempotencyHeader: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 100,
      description:
        'Header in which the target recognises a repeated request, such as `Idempotency-Key`. With it, POST and PATCH are repeated after a failure.',
    }),
  ),
  timeout: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 3_600_000, description: 'Milliseconds for everything together.' }),
  ),
  maxResponseBytes: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 65_536, default: 65_536, description: 'Most bytes of the answer.' }),
  ),
});

export type Input = Static<typeof input>;

export const output = object({
  status: Type.Integer(),
  url: Type.String({ description: 'Where the answer came from, after redirects.' }),
  headers: record(Type.Union([Type.String(), Type.Array(Type.String())]), {
    description: 'Names in lower case.',
  }),
  body: json('What the answer held: any JSON, a text, bytes as base64, or null.'),
  bodyFormat: Type.Enum(['json', 'text', 'base64', 'none'], { description: 'How `body` is to be read.' }),
});
