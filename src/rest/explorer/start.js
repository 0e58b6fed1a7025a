/**
 * Shows the OpenAPI document of the gateway that serves this page. Everything comes from that gateway.
 * Bad case: a key that is needed; "Authorize" takes it, and it is forgotten with the page.
 */
globalThis.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#explorer",
  deepLinking: true,
  validatorUrl: null,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  persistAuthorization: false,
});
