import { defineConnector } from '@linkspan/sdk';
import { callback } from './actions/callback.ts';
import { echo } from './actions/echo.ts';
import { wait } from './actions/wait.ts';

export const example = defineConnector({
  id: 'example',
  title: 'Example',
  description: 'Reaches nothing. For first steps, and for trying out what the hub does with calls.',
  actions: [callback, echo, wait],
});
