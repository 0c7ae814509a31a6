import { defineConnector } from '@linkspan/sdk';
import { echo } from './actions/echo.ts';
import { wait } from './actions/wait.ts';

export const example = defineConnector({
  id: 'example',
  title: 'Example',
  description: 'Reaches nothing. For first steps, and for trying out what the hub does with calls.',
  actions: [echo, wait],
});
