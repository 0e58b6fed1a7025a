/**
 * React hooks over the stream's client. A component renders when what it shows is another at an animation frame, not at
 * every tick; components that show the same view share a subscription.
 * Bad case: a hook outside of AlphaPulseProvider; it throws and says so.
 *
 * @example
 * <AlphaPulseProvider url="ws://127.0.0.1:8765/ws">
 *   <Ladder instrument="kraken:BTC-USD" />
 * </AlphaPulseProvider>
 *
 * function Ladder({ instrument }) {
 *   const { bids, asks, state } = useOrderBook(instrument, { depth: 10 });
 */
import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import { type BboEvent, type ConnectOptions, connect, type StreamClient, type TradeEvent } from "../client/mod.ts";
import { type FrameSource, FrameStore } from "./frame_store.ts";
import { Frames, requestFrame } from "./frames.ts";
import {
  bboSource,
  bookSource,
  type Connection,
  connectionSource,
  type OrderBook,
  type OrderBookOptions,
  tradesSource,
} from "./sources.ts";

export type { Connection, OrderBook, OrderBookOptions } from "./sources.ts";

const TRADES = 50;

/** A client of the page's own, or where to connect. */
export type AlphaPulseProviderProps = (
  | { readonly client: StreamClient }
  | {
      readonly url: string;
      /** Read once, when the provider appears or the address is another. */
      readonly options?: ConnectOptions;
    }
) & { readonly children?: ReactNode };

/** The client of a provider, its frames, and what its hooks read; components that show the same share it. */
class Ground {
  readonly client: StreamClient;
  readonly #frames = new Frames(requestFrame);
  readonly #stores = new Map<string, object>();

  constructor(client: StreamClient) {
    this.client = client;
  }

  /** @param key names everything that the source is made from */
  store<Value>(key: string, makeSource: (client: StreamClient) => FrameSource<Value>): FrameStore<Value> {
    const store = this.#stores.get(key) ?? new FrameStore(this.#frames, makeSource(this.client));
    this.#stores.set(key, store);
    return store as FrameStore<Value>;
  }
}

const GroundContext = createContext<Ground | undefined>(undefined);

/** Gives a client to the hooks below it. One that it made itself is closed when it disappears. */
export function AlphaPulseProvider(props: AlphaPulseProviderProps): ReactElement | null {
  const given = "client" in props ? props.client : undefined;
  const url = "url" in props ? props.url : undefined;
  const [made, setMade] = useState<StreamClient>();
  const options = useRef<ConnectOptions>({});
  useEffect(() => {
    options.current = ("options" in props && props.options) || {};
  }, [props]);
  useEffect(() => {
    if (url === undefined) {
      return;
    }
    const client = connect(url, options.current);
    setMade(client);
    return () => {
      setMade(undefined);
      client.close();
    };
  }, [url]);
  const client = given ?? made;
  const ground = useMemo(() => client && new Ground(client), [client]);
  return ground === undefined ? null : createElement(GroundContext.Provider, { value: ground }, props.children);
}

/** The client of the provider above. @throws Error outside of a provider */
export function useClient(): StreamClient {
  return useGround().client;
}

/** A book, best levels first, at frame rate. */
export function useOrderBook(instrument: string, options: OrderBookOptions = {}): OrderBook {
  const { depth, rateMs, policy, levels } = options;
  return useSource(
    (client) => bookSource(client, instrument, options),
    `book ${instrument} ${depth} ${rateMs} ${policy} ${levels}`,
  );
}

/** The last trades, latest first. @param options.limit kept at most; default 50 */
export function useTrades(instrument: string, { limit = TRADES }: { limit?: number } = {}): readonly TradeEvent[] {
  return useSource((client) => tradesSource(client, instrument, limit), `trades ${instrument} ${limit}`);
}

/** Best prices; undefined before the first. */
export function useBbo(instrument: string): BboEvent | undefined {
  return useSource((client) => bboSource(client, instrument), `bbo ${instrument}`);
}

/** How the connection stands. */
export function useConnection(): Connection {
  return useSource(connectionSource, "connection");
}

function useGround(): Ground {
  const ground = useContext(GroundContext);
  if (ground === undefined) {
    throw new Error("Cannot use a stream: there is no AlphaPulseProvider above this component");
  }
  return ground;
}

/** @param key names everything that the source is made from */
function useSource<Value>(makeSource: (client: StreamClient) => FrameSource<Value>, key: string): Value {
  const { subscribe, get } = useGround().store(key, makeSource);
  return useSyncExternalStore(subscribe, get, get);
}
