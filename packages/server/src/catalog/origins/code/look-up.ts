import { ActionError, TransportError, type OptionsPage } from '@linkspan/sdk';
import type { CatalogAction } from '../../action.ts';
import { catalogErrors } from '../../errors.ts';
import { visit, type Visitor, type VisitParts } from './visit.ts';

/** A look-up of the values of a field, while somebody types. */
export interface LookUp {
  readonly action: CatalogAction;
  /** Name of the source, as the field's marker `x-options` has it. */
  readonly source: string;
  readonly prefix: string;
  readonly cursor?: string;
  /** The fields that are filled in so far. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly by: Visitor;
  readonly signal: AbortSignal;
}

/** Most values of a page. */
const MOST = 200;

/**
 * Asks the connector. A direct path: nothing of it is stored.
 *
 * @throws options_not_found, options_failed
 */
export async function lookUp(parts: VisitParts, request: LookUp): Promise<OptionsPage> {
  const { action, source, prefix, cursor, input, by, signal } = request;
  const sources = action.definition.options ?? {};
  const ask = Object.hasOwn(sources, source) ? sources[source] : undefined;
  if (!ask) throw catalogErrors.options_not_found();
  const stay = visit(parts, action, input, by, signal);
  try {
    const page = await stay.lastWord(() => ask({ ...stay.base, input, prefix, cursor }));
    const items = page.items.slice(0, MOST).map(({ value, label }) => ({ value, label }));
    return { items, ...(page.next !== undefined && { next: page.next }) };
  } catch (cause) {
    const known = cause instanceof ActionError || cause instanceof TransportError;
    throw catalogErrors.options_failed({
      cause,
      ...(known && { detail: stay.redactor.text(cause.message).slice(0, 500) }),
    });
  } finally {
    stay.end();
  }
}
