/**
 * What the server's process uses and how its collectors live, asked of REST every few seconds while the view is open.
 * Bad case: a gateway that wants a key, or none that answers; the panel says what was told instead of old figures.
 */
import { useEffect, useState } from "react";
import { RestClient } from "../rest/client.ts";
import type { Endpoint, Health, Quantiles } from "../rest/client_types.d.ts";
import { ageText, byteText, countText } from "./display_text.ts";

const ASK_MS = 3000;
const US_PER_MS = 1000;

type Told = { readonly health?: Health; readonly trouble?: string };

/** The panel. */
export function ProcessPanel() {
  const { health, trouble } = useHealth();
  const gateway = health?.roles.find((role) => role.role === "gateway");
  const collectors = health?.roles.filter((role) => role.role === "collector") ?? [];
  const used = gateway?.process;
  return (
    <section className="panel gateway" aria-label="Process">
      <h3>Process{health === undefined ? `: ${trouble ?? "not asked yet"}` : `: ${health.status}`}</h3>
      <dl className="tiles">
        {used && (
          <>
            <Tile
              label="CPU"
              title="Of one core, all threads of the gateway's process"
              text={shareText(used.cpu_share)}
            />
            <Tile label="Memory" title="Resident" text={byteText(used.resident_bytes)} />
            <Tile label="Heap" title="Of the gateway's thread, in use" text={byteText(used.heap_used_bytes)} />
          </>
        )}
        {gateway && (
          <Tile
            label="Loop delay"
            title="Lateness of a timer of the gateway's thread, 99th percentile and largest"
            text={delayText(gateway.event_loop_delay_us)}
          />
        )}
        {collectors.map((role) => (
          <Tile
            key={`${role.exchange} ${role.shard}`}
            label={role.exchange}
            title={`Collector of pid ${role.pid}: its connection, how long its segment is there, and addresses that are left alone`}
            text={`${role.connection}, ${ageText(role.uptime_ms / 1000)}${openText(role.endpoints)}`}
            isFault={role.connection !== "connected" || openText(role.endpoints) !== ""}
          />
        ))}
        {health && (
          <Tile
            label="Refused"
            title="Connections and requests that were refused"
            text={countText(Object.values(health.clients.refusals).reduce((sum, count) => sum + count, 0))}
          />
        )}
      </dl>
    </section>
  );
}

function Tile({
  label,
  title,
  text,
  isFault = false,
}: {
  label: string;
  title: string;
  text: string;
  isFault?: boolean;
}) {
  return (
    <div className="tile" title={title} data-fault={isFault}>
      <dt>{label}</dt>
      <dd>{text}</dd>
    </div>
  );
}

/** The health as it was told last; nothing once it cannot be had. */
function useHealth(): Told {
  const [told, setTold] = useState<Told>({});
  useEffect(() => {
    const client = new RestClient({ url: new URL(".", document.baseURI).href, fetch: (url, init) => fetch(url, init) });
    let isOpen = true;
    const ask = async () => {
      const answer: Told = await client.ask("getHealth", {}).then(
        (health) => ({ health }),
        (error: unknown) => ({ trouble: error instanceof Error ? error.message : String(error) }),
      );
      if (isOpen) {
        setTold(answer);
      }
    };
    void ask();
    const timer = setInterval(() => void ask(), ASK_MS);
    return () => {
      isOpen = false;
      clearInterval(timer);
    };
  }, []);
  return told;
}

/** Which addresses of the exchange are left alone, by what is spoken there. */
function openText(endpoints: readonly Endpoint[]): string {
  const kinds = new Set(endpoints.filter(({ state }) => state === "open").map(({ kind }) => kind));
  return kinds.size === 0 ? "" : `, ${[...kinds].join(" and ")} refused`;
}

function shareText(share: number | null): string {
  return share === null ? "–" : `${(share * 100).toFixed(0)} %`;
}

function delayText(delay: Quantiles | null): string {
  return delay === null ? "–" : `${(delay.p99 / US_PER_MS).toFixed(1)} / ${(delay.max / US_PER_MS).toFixed(0)} ms`;
}
