// For tests: a node in a process of its own that notes each event it is given, in a file it shares with others.
import { openSync, writeSync } from 'node:fs';
import { LEASE, startEventNode } from './events.testing.ts';

const [connectionString = '', file = ''] = process.argv.slice(2);
const notes = openSync(file, 'a');

await startEventNode(
  { after() {} },
  { connectionString },
  {
    lease: LEASE,
    listeners: [
      {
        when: 'async',
        name: 'ear',
        types: ['app'],
        from: 'start',
        onFailure: 'park',
        // One write is one line, in the order of all processes, and stays when the process is killed.
        async handle({ id, partitionkey, data }) {
          writeSync(notes, `${partitionkey} ${Number(data)} ${id}\n`);
        },
      },
    ],
  },
);
process.stdout.write('ready\n');
setInterval(() => {}, 60_000);
