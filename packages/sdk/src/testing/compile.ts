import { validator } from '../hub/validator.ts';
import type { CompileSchema } from '../hub/index.ts';

/** Compiles as the hub does. */
export const compileSchema: CompileSchema = (schema) => {
  const validate = validator.compile(schema);
  return (value) =>
    validate(value)
      ? []
      : (validate.errors ?? []).map(({ instancePath, message = 'is wrong', params }) => ({
          path: instancePath,
          message: `${message}${'additionalProperty' in params ? `: ${String(params['additionalProperty'])}` : ''}`,
        }));
};
