/** A relay on a free port of this machine, in the test's own process. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRelay, type Relay, type RelayEvent, type RelayOptions } from '../../server/index.ts';
import { type Device, type DeviceOptions, openDevice } from './device.ts';

export type RunningFixture = {
  readonly relay: Relay;
  readonly server: Server;
  readonly url: string;
  readonly events: RelayEvent[];
  device(options?: DeviceOptions): Promise<Device>;
  stop(): Promise<void>;
};

export async function startRelay(options: Partial<RelayOptions> = {}, port = 0): Promise<RunningFixture> {
  const events: RelayEvent[] = [];
  const relay = await createRelay({ data: 'memory:', onEvent: (event) => events.push(event), ...options });
  const server = createServer((request, response) => {
    if (!relay.handleRequest(request, response)) response.writeHead(404).end();
  });
  server.on('upgrade', (request, socket, head) => relay.handleUpgrade(request, socket, head));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const devices: Device[] = [];
  return {
    relay,
    server,
    url,
    events,
    async device(deviceOptions = {}) {
      const device = await openDevice(url, deviceOptions);
      devices.push(device);
      return device;
    },
    async stop() {
      for (const device of devices) device.end();
      await relay.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
