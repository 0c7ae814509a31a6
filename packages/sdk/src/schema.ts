import {
  Type,
  type Static,
  type TArray,
  type TObject,
  type TProperties,
  type TSchema,
  type TString,
  type TUnsafe,
} from 'typebox';

/**
 * Builders for what TypeBox leaves open, and markers: keywords that say more about a value than its shape. Forms,
 * tools and the hub read them; validation passes over them.
 */

/** An object that has these fields and no others. */
export function object<P extends TProperties>(
  properties: P,
  about: { readonly title?: string; readonly description?: string } = {},
): TObject<P> {
  return Type.Object(properties, { ...about, additionalProperties: false });
}

/** An object of any names whose values all have one shape. */
export function record<V extends TSchema>(
  values: V,
  about: { readonly description?: string; readonly maxProperties?: number } = {},
): TUnsafe<Readonly<Record<string, Static<V>>>> {
  return Type.Unsafe({ type: 'object', additionalProperties: values, ...about });
}

/** Any JSON. The description has to say what is expected. */
export function json(description: string): TUnsafe {
  return Type.Unsafe({ description });
}

/**
 * Marks a value as a secret. It is sealed where it is stored, masked wherever the input is shown, and replaced in every
 * output, error and log line that repeats it. Works on a text, or on a whole object of texts.
 */
export function secret(): TString;
export function secret<S extends TSchema>(schema: S): S;
export function secret(schema: TSchema = Type.String({ minLength: 1 })): TSchema {
  return marked(schema, { 'x-secret': true });
}

/** The content of a file, as base64. A form shows a file chooser. `mediaType` says what kind of file is meant. */
export function file(about: { readonly description?: string; readonly mediaType?: string } = {}) {
  const { mediaType, ...rest } = about;
  return Type.String({
    ...rest,
    contentEncoding: 'base64',
    ...(mediaType === undefined ? {} : { contentMediaType: mediaType }),
    pattern: '^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$',
    'x-file': true,
  });
}

/** Marks a field whose values are looked up while one types. The action answers under the same name in `options`. */
export function options<S extends TSchema>(schema: S, source: string): S {
  return marked(schema, { 'x-options': source });
}

function marked<S extends TSchema>(schema: S, marks: Readonly<Record<string, unknown>>): S {
  // Through property descriptors, because TypeBox keeps what makes a field optional where a spread does not see it.
  const copy = Object.defineProperties({}, Object.getOwnPropertyDescriptors(schema)) as S;
  return Object.assign(copy, marks);
}

export { Type, type Static, type TArray, type TObject, type TSchema };
