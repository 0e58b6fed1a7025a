/** Where the gateway says what an operator should know. Structured loggers fit: each call is one event, one line. */
export interface GatewayLog {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** Says nothing. */
export const SILENT_LOG: GatewayLog = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
