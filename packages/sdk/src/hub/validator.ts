import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { RE2JS } from 're2js';

/**
 * Validation by JSON Schema 2020-12. Values are never changed: nothing is coerced, filled in or taken out, and all
 * faults are found. Every `pattern` runs in an engine whose time grows with the length of the text alone; what
 * such an engine cannot do (look-ahead, back-references) does not compile.
 */
export const validator = new Ajv2020({
  allErrors: true,
  strict: true,
  allowUnionTypes: true,
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  code: { regExp: Object.assign(linearRegExp, { code: 'linearRegExp' }) },
});
formats.default(validator, {
  formats: ['date', 'date-time', 'time', 'duration', 'uuid', 'uri', 'email', 'hostname', 'ipv4', 'ipv6'],
});

function linearRegExp(pattern: string): { test(text: string): boolean; toString(): string } {
  const compiled = RE2JS.compile(pattern);
  // The validator keeps one engine for each text this gives, so it has to tell patterns apart.
  return { test: (text) => compiled.test(text), toString: () => pattern };
}
