/**
 * Captures: recorded exchange traffic, to be read line by line or written by a collector.
 * Bad case: none of its own; see the files behind it.
 */
export { type CaptureLine, captureTime, captureTimeNs, parseCaptureLine } from "./capture_line.ts";
export { type PlacedLine, readCapture } from "./capture_reader.ts";
export { CaptureWriter, type CaptureWriterOptions } from "./capture_writer.ts";
