import type { Example } from '@linkspan/sdk';
import type { Answer } from './answer.ts';
import type { Input } from './schemas.ts';

export const examples: readonly Example<Input, Answer, 'http_rejected'>[] = [
  {
    title: 'Read JSON',
    input: { url: 'https://api.example.com/items', query: { page: 2, tag: ['a', 'b'] } },
    output: {
      status: 200,
      url: 'https://api.example.com/items?page=2&tag=a&tag=b',
      headers: { 'content-type': 'application/json' },
      body: { items: ['first'] },
      bodyFormat: 'json',
    },
  },
  {
    title: 'Send JSON with a token',
    input: {
      method: 'POST',
      url: 'https://api.example.com/items',
      auth: { bearer: 'a-token-of-the-api' },
      body: { json: { name: 'second' } },
      idempotencyHeader: 'Idempotency-Key',
    },
    output: {
      status: 201,
      url: 'https://api.example.com/items',
      headers: { 'content-type': 'application/json' },
      body: { id: 2 },
      bodyFormat: 'json',
    },
  },
  {
    title: 'Send a form, with a user name and a password',
    input: {
      method: 'POST',
      url: 'https://api.example.com/login',
      auth: { username: 'ada', password: 'a-password' },
      body: { form: { remember: true } },
      secretHeaders: { 'X-Api-Key': 'a-key-of-the-api' },
    },
    output: {
      status: 204,
      url: 'https://api.example.com/login',
      headers: {},
      body: null,
      bodyFormat: 'none',
    },
  },
  {
    title: 'What is not there',
    input: { url: 'https://api.example.com/nothing' },
    error: 'http_rejected',
  },
  {
    title: 'What is not there, as an answer',
    input: { url: 'https://api.example.com/nothing', failOn: ['5xx'] },
    output: {
      status: 404,
      url: 'https://api.example.com/nothing',
      headers: { 'content-type': 'text/plain' },
      body: 'Not here',
      bodyFormat: 'text',
    },
  },
];
