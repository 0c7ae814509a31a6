import { printParseErrorCode, visit, type JSONPath } from 'jsonc-parser';
import type { Fault } from '../errors.ts';
import { pointer } from '../schema/index.ts';

/**
 * Says what is wrong with a JSON text that was found wrong: every name that occurs twice in one object, every
 * `__proto__`, or where the text stops being JSON. The slow pass; only refused bodies come here.
 */
export function explainJson(text: string): Fault[] {
  const names: Fault[] = [];
  const syntax: Fault[] = [];
  const open: Set<string>[] = [];
  const member = (name: string, path: JSONPath): void => {
    const seen = open.at(-1);
    const at = pointer([...path, name]);
    if (name === '__proto__')
      names.push({ path: at, rule: 'forbiddenName', message: 'the name __proto__ is not allowed' });
    else if (seen?.has(name))
      names.push({
        path: at,
        rule: 'duplicateName',
        message: 'the name occurs more than once in its object',
      });
    seen?.add(name);
  };
  visit(
    text,
    {
      onObjectBegin: () => void open.push(new Set()),
      onObjectEnd: () => void open.pop(),
      onObjectProperty: (name, _offset, _length, _line, _column, path) => member(name, path()),
      onError: (code, _offset, _length, line, column) =>
        void syntax.push({
          path: '',
          rule: 'json',
          message: `the body is not JSON: ${printParseErrorCode(code)} at line ${line + 1}, column ${column + 1}`,
        }),
    },
    { disallowComments: true },
  );
  const found = syntax.length > 0 ? syntax.slice(0, 1) : names;
  return found.length > 0 ? found : [{ path: '', rule: 'json', message: 'the body is not JSON' }];
}
