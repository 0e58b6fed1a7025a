/**
 * Entry of the page: connects to the gateway that served it and shows what it says. `?follow=all` in the address follows
 * every book whole, not only those that are looked at.
 * Bad case: served from a file or a path of its own: the stream is then looked for beside the page, at `ws`.
 */
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { ClientFeed } from "./client_feed.ts";
import { startKeyboard } from "./keyboard.ts";
import { MarketStore } from "./market_store.ts";
import { startTheme } from "./theme.ts";

const url = new URL("ws", location.href);
url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
url.hash = "";
url.search = "";
const time = {
  nowMs: () => Date.now(),
  preciseMs: () => performance.now(),
  every: (milliseconds: number, task: () => void) => setInterval(task, milliseconds),
};
const store = new MarketStore(
  new ClientFeed(url.href, time),
  { ...time, requestFrame: (callback) => requestAnimationFrame(callback) },
  { followsAll: new URLSearchParams(location.search).get("follow") === "all" },
);
startTheme();
startKeyboard();
store.start();

const root = document.getElementById("root");
if (root === null) {
  throw new Error("Cannot show the page: its root element is missing, was null");
}
createRoot(root).render(<App store={store} />);
