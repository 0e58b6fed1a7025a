/** Any free port: chosen with a number, so that the port can be had again; another when somebody was quicker. */
import { describe, expect, it } from "vitest";
import { ConnectionError } from "../../src/errors.ts";
import { listenOn } from "../../src/gateway/free_port.ts";
import type { ListenOptions, Transport } from "../../src/gateway/transport.ts";

/** Sockets of a system on which so many ports are taken by others meanwhile. */
function transport(taken: number): { transport: Transport; ports: number[] } {
  const ports: number[] = [];
  return {
    ports,
    transport: {
      name: "ws",
      listen: ({ port }) => {
        ports.push(port);
        return ports.length <= taken
          ? Promise.reject(new ConnectionError(`Cannot listen: the port is taken, was ${port}`))
          : Promise.resolve({ port, publish: () => undefined, close: () => Promise.resolve() });
      },
    },
  };
}

const options = { host: "127.0.0.1", port: 0 } as ListenOptions;

describe("Port 0", () => {
  it("becomes a port with a number, another one when it was taken meanwhile", async () => {
    const { transport: made, ports } = transport(2);
    const { port } = await listenOn(made, options);
    expect(ports).toHaveLength(3);
    expect(ports.every((one) => one > 0)).toBe(true);
    expect(port).toBe(ports[2]);
  });

  it("is given up when every port is taken, or the host is not ours", async () => {
    const { transport: made, ports } = transport(1000);
    await expect(listenOn(made, options)).rejects.toThrow(/^Cannot listen: the port is taken/);
    expect(ports.length).toBeLessThan(20);
    const elsewhere = listenOn(transport(0).transport, { ...options, host: "192.0.2.1" });
    await expect(elsewhere).rejects.toThrow(/^Cannot listen: .*, was 192\.0\.2\.1$/);
  });

  it("is not what a port with a number is: that one or none", async () => {
    const { transport: made, ports } = transport(1);
    await expect(listenOn(made, { ...options, port: 4711 })).rejects.toThrow(ConnectionError);
    expect(ports).toEqual([4711]);
  });
});
