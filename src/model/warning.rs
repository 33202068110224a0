//! Doubt, typed: what makes a measurement weaker than it looks.

/// A reason to trust a measurement less, with what to do about it.
#[derive(Debug, Clone, PartialEq)]
pub enum MeasurementWarning {
    /// Fewer samples than the percentile needs.
    TooFewSamples {
        /// What was measured.
        subject: String,
        /// How many there are.
        samples: u64,
        /// How many are needed.
        needed: u64,
    },
    /// The reference statement moved during the run.
    Drift {
        /// Last third against first third of the reference statement's median.
        ratio: f64,
    },
    /// The machine's noise is large against what is decided.
    NoisyMachine {
        /// p95 of the reference statement as a multiple of its median.
        p95_over_median: f64,
    },
    /// The client used its core up, so it measured itself.
    ClientBound {
        /// Share of wall time the client was on the CPU.
        cpu_share: f64,
    },
    /// The clock advances in steps that are large against what is measured.
    CoarseTimer {
        /// The smallest step seen, in microseconds.
        step_us: f64,
        /// Median of the reference statement, in microseconds.
        ping_us: f64,
    },
    /// Sending and receiving the result takes most of the time.
    SaturatedConnection {
        /// What was measured.
        subject: String,
        /// Share of the client-seen median that is not spent in the server.
        transfer_share: f64,
    },
    /// The server runs without its durability.
    DurabilityOff {
        /// The setting, such as `fsync=off`.
        setting: String,
    },
    /// Plimsoll itself was built without optimisation.
    DebugBuild,
    /// Caches were not warm where warm was declared.
    ColdCache {
        /// What was measured.
        subject: String,
    },
    /// Parameters came from values the data does not hold.
    ParametersUnlikeData {
        /// The query.
        subject: String,
        /// The parameters that are made up.
        parameter: String,
        /// Parameter sets that found nothing.
        empty_sets: usize,
        /// Parameter sets executed.
        sets: usize,
    },
    /// A kept run could be compared with only in part.
    BaselinePartly {
        /// The kept run.
        run_id: String,
        /// The volume.
        volume: String,
        /// Queries that it does not hold at this volume.
        missing: Vec<String>,
        /// Queries measured.
        queries: usize,
        /// Parameter sets that it holds with the same values.
        comparable_sets: usize,
        /// Parameter sets measured.
        sets: usize,
    },
    /// A bound was reached and something was left out.
    BoundReached {
        /// Which bound, such as `10000 interleavings`.
        bound: String,
        /// What was left out.
        left_out: String,
    },
    /// Anything else worth saying; prefer a variant of its own.
    Other {
        /// Stable kebab-case code.
        code: &'static str,
        /// One sentence without a full stop.
        message: String,
    },
}

impl MeasurementWarning {
    /// The stable kebab-case code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooFewSamples { .. } => "too-few-samples",
            Self::Drift { .. } => "drift",
            Self::NoisyMachine { .. } => "noisy-machine",
            Self::ClientBound { .. } => "client-bound",
            Self::CoarseTimer { .. } => "coarse-timer",
            Self::SaturatedConnection { .. } => "saturated-connection",
            Self::DurabilityOff { .. } => "durability-off",
            Self::DebugBuild => "debug-build",
            Self::ColdCache { .. } => "cold-cache",
            Self::ParametersUnlikeData { .. } => "parameters-unlike-data",
            Self::BaselinePartly { .. } => "baseline-partly",
            Self::BoundReached { .. } => "bound-reached",
            Self::Other { code, .. } => code,
        }
    }

    /// One sentence, with the next action.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::TooFewSamples { subject, samples, needed } => {
                format!(
                    "{subject} has {samples} samples where {needed} are needed: raise the sample or time cap"
                )
            }
            Self::Drift { ratio } => {
                format!(
                    "the reference statement drifted to {ratio:.2}x during the run: compare ratios, not absolute times"
                )
            }
            Self::NoisyMachine { p95_over_median } => format!(
                "the reference statement's p95 is {p95_over_median:.1}x its median: the machine is busy, let it calm down or use counters"
            ),
            Self::ClientBound { cpu_share } => format!(
                "the client was on the CPU for {:.0} % of the time: latencies include its own waiting, use fewer connections",
                cpu_share * 100.0
            ),
            Self::CoarseTimer { step_us, ping_us } => format!(
                "the clock advances in steps of {step_us:.1} µs where the reference statement takes {ping_us:.0} µs: use counters, or another machine"
            ),
            Self::SaturatedConnection { subject, transfer_share } => format!(
                "{:.0} % of the time of {subject} is sending and receiving its result: this measures the connection, select fewer rows or columns",
                transfer_share * 100.0
            ),
            Self::DurabilityOff { setting } => {
                format!("the server runs with {setting}: write timings are better than production's")
            }
            Self::DebugBuild => {
                "this is a debug build of Plimsoll: its own time is in the figures, build with --release"
                    .into()
            }
            Self::ColdCache { subject } => {
                format!("{subject} read blocks from disk where a warm cache was declared")
            }
            Self::ParametersUnlikeData { subject, parameter, empty_sets, sets } => {
                format!(
                    "{subject} found nothing with {empty_sets} of {sets} parameter sets, though its tables hold rows: values of {parameter} are made up, take them from the data with sample(table.column), or say `rows >= 0`"
                )
            }
            Self::BaselinePartly { run_id, volume, missing, queries, comparable_sets, sets } => {
                let without = match missing[..] {
                    [] => String::new(),
                    _ => format!(" (it lacks {})", missing.join(", ")),
                };
                format!(
                    "run {run_id} holds {} of {queries} queries{without} and {comparable_sets} of {sets} parameter sets measured at volume {volume}: only these were compared, take a run of the same volume, seed and data",
                    queries - missing.len().min(*queries)
                )
            }
            Self::BoundReached { bound, left_out } => {
                format!("the bound of {bound} was reached, left out: {left_out}")
            }
            Self::Other { message, .. } => message.clone(),
        }
    }
}
