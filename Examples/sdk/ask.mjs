// Asks once and prints the answer as it comes:
//   KDCUBE_URL=http://127.0.0.1:8000 KDCUBE_TOKEN=kd-… node Examples/sdk/ask.mjs "Hello"
import { KDCube, KDCubeError } from '../../web-client/kdcube.js';

const kdcube = new KDCube({ url: process.env.KDCUBE_URL, token: process.env.KDCUBE_TOKEN });
try {
  const run = await kdcube.send(process.argv[2] ?? 'Hello', { model: 'demo', maxTokens: 400 });
  for await (const text of run.texts()) process.stdout.write(text);

  const { state, usage, costUSD, cut } = await run.done;
  console.log(`\n${state}: ${usage.output_tokens} tokens, $${costUSD}`);
  if (cut) console.log(`The cap of ${cut.limit} ${cut.unit} is reached (${cut.reason}).`);
} catch (error) {
  if (!(error instanceof KDCubeError)) throw error;
  console.error(`${error.code} (status ${error.status}, request ${error.requestId}): ${error.message}`);
  process.exitCode = 1;
} finally {
  kdcube.close();
}
