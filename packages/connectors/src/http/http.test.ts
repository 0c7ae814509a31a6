import { testConnector, type WorldAnswer } from '@linkspan/sdk/testing';
import { http } from './connector.ts';

const ANSWERS: Readonly<Record<string, WorldAnswer>> = {
  'GET https://api.example.com/items?page=2&tag=a&tag=b': { json: { items: ['first'] } },
  'POST https://api.example.com/items': { status: 201, json: { id: 2 } },
  'POST https://api.example.com/login': { status: 204 },
  'GET https://api.example.com/nothing': {
    status: 404,
    headers: { 'content-type': 'text/plain' },
    body: 'Not here',
  },
};

testConnector(http, { world: ({ method, url }) => ANSWERS[`${method} ${url}`] });
