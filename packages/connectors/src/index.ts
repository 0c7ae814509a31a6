import type { Connector } from '@linkspan/sdk';
import { example } from './example/connector.ts';
import { http } from './http/connector.ts';

/** Every connector that comes with the hub. */
export const connectors: readonly Connector[] = [example, http];
