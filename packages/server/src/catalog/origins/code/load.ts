import type { Action, Connector, Repeat } from '@linkspan/sdk';
import { connectorFaults, secretPathsOf, withoutMarkers, type SchemaNode } from '@linkspan/sdk/hub';
import { compileCheck } from '../../../platform/schema/index.ts';
import type { CatalogAction, CatalogConnector } from '../../action.ts';

/** Connectors that are code: objects made with the SDK. */

const LONGEST_TARGET = 200;

/** Everything wrong with a definition; nothing it holds makes this throw. */
export function faultsOf(connector: unknown): string[] {
  try {
    return connectorFaults(connector, (schema) => compileCheck(schema));
  } catch (error) {
    return [`its definition cannot be read: ${(error as Error).message}`];
  }
}

/** Takes in a connector that has no faults. */
export function loadConnector(connector: Connector): CatalogConnector {
  const { id, title, description } = connector;
  return {
    id,
    title,
    description,
    origin: 'code',
    actions: connector.actions.map((action) => loadAction(id, action)),
  };
}

function loadAction(connector: string, action: Action): CatalogAction {
  const { title, description, effect, errors, examples, policy, repeat } = action;
  return {
    id: `${connector}/${action.id}`,
    connector,
    title,
    description,
    effect,
    repeat: (input) => repeatOf(action, input),
    repeats: typeof repeat === 'function' ? 'depends' : repeat,
    policy,
    input: plainJson(action.input),
    output: plainJson(action.output),
    errors,
    examples,
    check: compileCheck(withoutMarkers(action.input)),
    checkOutput: compileCheck(withoutMarkers(action.output)),
    secretPaths: secretPathsOf(plainJson(action.input)),
    target: (input) => targetOf(connector, action, input),
    origin: 'code',
    definition: action,
  };
}

/** An input it did not expect must not pass for repeatable. */
function repeatOf({ repeat }: Action, input: unknown): Repeat {
  if (typeof repeat !== 'function') return repeat;
  try {
    return repeat(input as never);
  } catch {
    return 'never';
  }
}

function targetOf(connector: string, action: Action, input: unknown): string {
  try {
    const target = action.target?.(input as never) ?? connector;
    return typeof target === 'string' && target !== '' ? target.slice(0, LONGEST_TARGET) : connector;
  } catch {
    return connector;
  }
}

function plainJson(schema: unknown): SchemaNode {
  return JSON.parse(JSON.stringify(schema)) as SchemaNode;
}
