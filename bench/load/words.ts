/** What the processes of the load benchmark say to each other. Bad case: none, these are types. */

/** To the crowd of clients. */
export type CrowdOrder =
  | { order: "connect"; port: number; count: number; subscribes: boolean }
  | { order: "storm" }
  | { order: "stall" }
  | { order: "goOn" }
  | { order: "begin" }
  | { order: "finish"; version: number }
  | { order: "prove"; version: number };

/** From the crowd: milliseconds until all were served; latencies of the proved clients; the stalled client's book. */
export type CrowdAnswer =
  | { answer: "served"; ms: number }
  | { answer: "done" }
  | { answer: "finished"; p50: number; p99: number; samples: number }
  | { answer: "proved"; hash: number; messages: number; bytes: number }
  | { answer: "failed"; reason: string };
