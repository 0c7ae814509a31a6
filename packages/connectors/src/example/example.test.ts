import { testConnector } from '@linkspan/sdk/testing';
import { example } from './connector.ts';

testConnector(example);
