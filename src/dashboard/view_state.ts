/**
 * What somebody set on the page and expects to find again when coming back to a view: filter, order, zoom, help. Kept for
 * as long as the page is open. Bad case: two windows: each has its own.
 */
import { Cell } from "./cell.ts";
import { BY_HEALTH, type Order } from "./overview_order.ts";

/** Words that filter the overview. */
export const overviewFilter = new Cell("");
/** The order of the overview. */
export const overviewOrder = new Cell<Order>(BY_HEALTH);
/** Steps of zooming in or out at most. */
export const ZOOM_MAX = 6;
/** Zoom of the prices of heat maps: steps in (above 0) or out from what fits, −ZOOM_MAX … ZOOM_MAX. */
export const heatZoom = new Cell(0);

/** Zooms in or out by steps. */
export function zoomBy(steps: number): void {
  heatZoom.set(Math.min(Math.max(heatZoom.get() + steps, -ZOOM_MAX), ZOOM_MAX));
}

/** Most decimals of any price in the overview, for aligning points. */
export const priceRoom = new Cell(0);
/** Whether the help is open. */
export const isHelpOpen = new Cell(false);
