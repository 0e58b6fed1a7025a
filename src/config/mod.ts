/**
 * The configuration: one schema, three sources, errors that name the key.
 * Bad case: none of its own; see the files behind it.
 */
export {
  CONFIG_FILE,
  CONFIG_KEYS,
  type ConfigSources,
  loadConfig,
  readConfigFile,
  type SelectedExchange,
  selectExchanges,
} from "./load.ts";
export { nearestHint, nearestNames } from "./nearest.ts";
export type { Config, ExchangeConfig } from "./schema.ts";
