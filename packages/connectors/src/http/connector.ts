import { defineConnector } from '@linkspan/sdk';
import { request } from './actions/request.ts';

export const http = defineConnector({
  id: 'http',
  title: 'HTTP',
  description: 'Calls any web address.',
  actions: [request],
});
