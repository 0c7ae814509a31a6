import { Type, type Static, type TProperties } from 'typebox';
import type { CatalogAction, CatalogConnector } from './action.ts';

/** The shapes of connectors and actions in the API, and how those of the catalog become one. */

const closed = <P extends TProperties>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });

const Id = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' });
const ActionId = Type.String({
  pattern: '^[a-z0-9][a-z0-9-]{0,62}/[a-z0-9][a-z0-9-]{0,62}$',
  description: '`connector/action`',
});
const anyJson = (description: string) => Type.Unsafe<unknown>({ description });

export const Connector = closed({
  id: Id,
  title: Type.String(),
  description: Type.String(),
  origin: Type.Enum(['code'], { description: 'Where the connector comes from.' }),
  actions: Type.Array(ActionId),
});

const Retry = Type.Enum(['transient', 'timeout', 'rate_limited', 'unavailable', 'permanent'], {
  description: 'Why trying again may help; `permanent` is never tried again.',
});

export const Action = closed({
  id: ActionId,
  connector: Id,
  title: Type.String(),
  description: Type.String(),
  effect: Type.Enum(['read', 'write', 'destructive']),
  repeat: Type.Enum(['idempotent', 'keyed', 'probed', 'never', 'depends'], {
    description: 'What it says of being done twice; `depends` on the input.',
  }),
  policy: anyJson('Wishes for the policy of its calls; an object, in milliseconds.'),
  input: anyJson(
    'JSON Schema of the input. `x-secret`, `x-file` and `x-options` mark what a form treats specially.',
  ),
  output: anyJson('JSON Schema of the output.'),
  errors: Type.Array(closed({ code: Type.String(), meaning: Type.String(), retry: Retry })),
  examples: Type.Array(
    closed({
      title: Type.String(),
      input: anyJson('An input.'),
      output: Type.Optional(anyJson('What comes of it.')),
      error: Type.Optional(Type.String({ description: 'The code of the error it ends with.' })),
    }),
  ),
});

export const ConnectorParams = closed({ id: Id });

const Limit = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'Items of a page.' }),
);
const AFTER = '`next` of the page before.';

export const ConnectorPage = closed({
  after: Type.Optional(Type.String({ maxLength: 63, description: AFTER })),
  limit: Limit,
});

export const ActionPage = closed({
  after: Type.Optional(Type.String({ maxLength: 127, description: AFTER })),
  limit: Limit,
});

export const pageOf = <P extends TProperties>(item: ReturnType<typeof closed<P>>) =>
  closed({ items: Type.Array(item), next: Type.Union([Type.String(), Type.Null()]) });

export const DEFAULT_LIMIT = 50;

export function shownConnector(connector: CatalogConnector): Static<typeof Connector> {
  const { id, title, description, origin, actions } = connector;
  return { id, title, description, origin, actions: actions.map((action) => action.id) };
}

export function shownAction(action: CatalogAction): Static<typeof Action> {
  const { id, connector, title, description, effect, repeats, policy, input, output, errors, examples } =
    action;
  return {
    id,
    connector,
    title,
    description,
    effect,
    repeat: repeats,
    policy: policy ?? {},
    input,
    output,
    errors: Object.entries(errors).map(([code, { meaning, retry }]) => ({ code, meaning, retry })),
    examples: examples.map(({ title: name, input: given, output: gives, error }) => ({
      title: name,
      input: given,
      ...(gives !== undefined && { output: gives }),
      ...(error !== undefined && { error }),
    })),
  };
}
