export { Bed, Place, type Flood } from './bed.js';
export type { BedPlan } from './plan.js';
export { BedProcess, type RunOptions, type RunResult } from './process.js';
export { Capture, type CaptureOptions } from './capture.js';
export { ProcessClock } from './clock.js';
export { Link, type Weather } from './link.js';
export * from './packets.js';
export { root, sourcePath, distPath } from './paths.js';
export {
  Listener,
  Tap,
  TcpConnection,
  TcpListener,
  type Arrival,
  type Attempt,
  type Family,
  type Frame,
  type Outcome,
} from './traffic.js';
export { endEngines, unmountUnder } from './engines.js';
export { removeAbandonedBeds } from './namespaces.js';
export { until } from './until.js';
