import { build, type Histogram } from "hdr-histogram-js";

/** To three digits. */
export interface Percentiles {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

export interface LatencyFigures {
  /** Undefined: there were none. */
  readonly reads?: Percentiles;
  readonly writes?: Percentiles;
}

const HOUR_US = 3_600_000_000;

/** Latencies of a run, from a microsecond to an hour. */
export class Latencies {
  readonly #histograms = { reads: histogram(), writes: histogram() };

  add(kind: "reads" | "writes", us: number): void {
    this.#histograms[kind].recordValue(Math.min(Math.round(us), HOUR_US));
  }

  figures(): LatencyFigures {
    const { reads, writes } = this.#histograms;
    return {
      ...(reads.totalCount === 0 ? {} : { reads: percentiles(reads) }),
      ...(writes.totalCount === 0 ? {} : { writes: percentiles(writes) }),
    };
  }
}

function histogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HOUR_US,
    numberOfSignificantValueDigits: 3,
  });
}

function percentiles(histogram: Histogram): Percentiles {
  return {
    p50Us: histogram.getValueAtPercentile(50),
    p99Us: histogram.getValueAtPercentile(99),
    maxUs: histogram.maxValue,
  };
}
