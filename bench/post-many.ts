import { Connection, postText } from './http/client.ts';

/** Calls to accept and leave alone. */
export interface ManyPlan {
  readonly address: string;
  readonly token: string;
  /** JSON of each call. */
  readonly body: string;
  readonly count: number;
  readonly connections: number;
}

/** Sends the same call many times; resolves once each was accepted. */
export async function postMany({ address, token, body, count, connections }: ManyPlan): Promise<void> {
  const text = postText(new URL(address).host, '/api/v1/calls', token, body);
  let left = count;
  const one = async (): Promise<void> => {
    const connection = new Connection(address);
    while (left-- > 0) {
      const status = await new Promise<number>((resolve) => connection.request(text, resolve));
      if (status !== 202) throw new Error(`A call was answered ${status}.`);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: connections }, one));
}
