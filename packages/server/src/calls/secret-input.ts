import type { Attempt, Executor } from './engine/index.ts';
import type { Place, Sealer } from '../platform/seal/index.ts';

/**
 * Secret fields of inputs (security rule 4). They are taken out of the input before it is stored, kept beside it as one
 * sealed value bound to the call, and put back for the time of an attempt.
 */

/** Secrets by the steps that lead to them, as `/`-joined names; what stands in their place is null. */
type Secrets = Readonly<Record<string, unknown>>;

export interface StoredInput {
  readonly input: unknown;
  /** Base64; absent when there was no secret. */
  readonly sealed?: string;
}

/** An input fit to be stored. `paths` are JSON pointers; `*` stands for every item or name. */
export async function sealSecrets(
  sealer: Sealer,
  call: { tenant: string; id: string },
  input: unknown,
  paths: readonly string[],
): Promise<StoredInput> {
  const { rest, secrets } = taken(input, paths);
  if (Object.keys(secrets).length === 0) return { input };
  const sealed = await sealer.seal(placeOf(call), JSON.stringify(secrets));
  return { input: rest, sealed: sealed.toString('base64') };
}

/** A stored input (JSON text) with its secrets. */
export async function openSecrets(
  sealer: Sealer,
  call: { tenant: string; id: string },
  stored: { input: string; sealed: string },
): Promise<unknown> {
  const opened = await sealer.open(placeOf(call), Buffer.from(stored.sealed, 'base64'));
  return putBack(JSON.parse(stored.input), JSON.parse(opened.toString('utf8')) as Secrets);
}

/** An executor that gets inputs with their secrets, whatever it executes them with. */
export function openingSecrets(executor: Executor, sealer: Sealer): Executor {
  const open = async (attempt: Attempt): Promise<Attempt> => {
    const { call } = attempt;
    if (call.details.sealed === undefined) return attempt;
    const opened = await openSecrets(sealer, call, { input: call.input, sealed: call.details.sealed });
    return { ...attempt, call: { ...call, input: JSON.stringify(opened) } };
  };
  return {
    about: (action, input) => executor.about(action, input),
    execute: async (attempt) => executor.execute(await open(attempt)),
    ...(executor.probe && { probe: async (attempt) => executor.probe!(await open(attempt)) }),
  };
}

function placeOf({ tenant, id }: { tenant: string; id: string }): Place {
  return { scope: tenant, purpose: 'secret fields of a call', record: id };
}

type Branch = Record<string, unknown>;

const isBranch = (value: unknown): value is Branch => typeof value === 'object' && value !== null;

function taken(input: unknown, paths: readonly string[]): { rest: unknown; secrets: Secrets } {
  const secrets: Record<string, unknown> = {};
  const steps = paths.map((path) => path.split('/').slice(1));
  if (steps.some((some) => some.length === 0)) return { rest: null, secrets: { '': input } };
  // Most inputs hold no secret: only one that does is copied.
  const found = steps.filter((some) => leadsSomewhere(input, some));
  const rest = found.length === 0 ? input : structuredClone(input);
  for (const some of found) takeAt(rest, some, '', secrets);
  return { rest, secrets };
}

function leadsSomewhere(value: unknown, [step, ...more]: readonly string[]): boolean {
  if (step === undefined) return value !== null;
  if (!isBranch(value)) return false;
  const names = step === '*' ? Object.keys(value) : [unescaped(step)];
  return names.some((name) => Object.hasOwn(value, name) && leadsSomewhere(value[name], more));
}

function takeAt(value: unknown, [step = '', ...more]: readonly string[], at: string, into: Branch): void {
  if (!isBranch(value)) return;
  for (const name of step === '*' ? Object.keys(value) : [unescaped(step)]) {
    if (!Object.hasOwn(value, name) || value[name] === null) continue;
    const here = `${at}/${escaped(name)}`;
    if (more.length > 0) {
      takeAt(value[name], more, here, into);
    } else {
      into[here] = value[name];
      value[name] = null;
    }
  }
}

function putBack(input: unknown, secrets: Secrets): unknown {
  if (Object.hasOwn(secrets, '')) return secrets[''];
  for (const [path, secret] of Object.entries(secrets)) {
    const names = path.split('/').slice(1).map(unescaped);
    const last = names.pop()!;
    const holder = names.reduce<unknown>((value, name) => (isBranch(value) ? value[name] : undefined), input);
    if (isBranch(holder)) holder[last] = secret;
  }
  return input;
}

function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1').replaceAll('*', '~2');
}

/** `~2` is a star that is part of a name, as in the paths of the SDK. */
function unescaped(step: string): string {
  return step.replaceAll('~2', '*').replaceAll('~1', '/').replaceAll('~0', '~');
}
