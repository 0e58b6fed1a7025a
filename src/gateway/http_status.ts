/** The words of the HTTP status codes that the gateway answers with. */
const TEXTS: Readonly<Record<number, string>> = {
  200: "OK",
  304: "Not Modified",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  426: "Upgrade Required",
  503: "Service Unavailable",
};

/** The reason phrase of a status code; a plain word for codes that are not in use here. */
export function statusText(status: number): string {
  return TEXTS[status] ?? "Status";
}
