/** The options of the command line, checked. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

export type RelayConfig = {
  readonly data: string;
  readonly port: number;
  readonly host: string;
  readonly secret: string | undefined;
  readonly origins: readonly string[] | undefined;
  readonly path: string;
  /** Events of connections too. */
  readonly isVerbose: boolean;
};

export const USAGE = `Usage: collection-store relay --data DIR --port N [options]

  --data DIR          folder of the relay's log; made when it is missing
  --port N            port to listen on; 0 takes a free one
  --host HOST         address to listen on (default 127.0.0.1)
  --origin ORIGIN     origin of pages that may connect, such as https://app.example; may be repeated; '*' for any
                      (default: pages from the host that they connect to)
  --secret-file FILE  file with the secret that devices must know; or the variable COLLECTION_STORE_SECRET
  --open              lets everybody connect who can reach the port
  --path PATH         path below which the relay answers, such as /relay
  --verbose           logs each connection
  --help              shows this text

Events go to the standard output, one JSON object a line. SIGTERM and SIGINT end the relay once all that it took is stored.
`;

const OPTIONS = {
  data: { type: 'string' },
  port: { type: 'string' },
  host: { type: 'string' },
  origin: { type: 'string', multiple: true },
  'secret-file': { type: 'string' },
  open: { type: 'boolean' },
  path: { type: 'string' },
  verbose: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

/** What is wrong with the command line, for whoever typed it. */
export class UsageError extends Error {}

/** `help` when that was asked for. Throws `UsageError`. */
export function readConfig(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): RelayConfig | 'help' {
  const { values, positionals } = parsed(args);
  if (values.help === true || args.length === 0) return 'help';
  if (positionals.length !== 1 || positionals[0] !== 'relay') throw new UsageError('The one command is "relay".');
  if (values.data === undefined || values.data === '') throw new UsageError('--data is missing.');
  const secret = secretOf(values['secret-file'], env['COLLECTION_STORE_SECRET']);
  if (secret === undefined && values.open !== true) {
    throw new UsageError(
      'Give a secret with --secret-file or COLLECTION_STORE_SECRET, or let everybody in with --open.',
    );
  }
  if (secret !== undefined && values.open === true) throw new UsageError('--open and a secret exclude each other.');
  return {
    data: values.data,
    port: portOf(values.port),
    host: values.host ?? '127.0.0.1',
    secret,
    origins: values.origin,
    path: values.path ?? '',
    isVerbose: values.verbose === true,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}

function portOf(text: string | undefined): number {
  if (text === undefined) throw new UsageError('--port is missing.');
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new UsageError(`${text} is not a port.`);
  return port;
}

function secretOf(file: string | undefined, variable: string | undefined): string | undefined {
  if (file === undefined) return variable === '' ? undefined : variable;
  let secret: string;
  try {
    secret = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new UsageError(`The secret cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  if (secret === '') throw new UsageError(`${file} is empty.`);
  return secret;
}
