/**
 * Builds the page from src/dashboard into dist/dashboard. Paths are relative, so that it works behind any prefix.
 * Bad case: run directly, vite writes into dist/dashboard file by file; `npm run build` swaps the finished folder in.
 */
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  root: "src/dashboard",
  base: "./",
  plugins: [react()],
  build: { outDir: "../../dist/dashboard", emptyOutDir: true, target: "es2022", sourcemap: true },
});
