//! The published form of the evidence of `n-plus-one`.

use super::super::mirror::{Hex, Mirror, Real};
use crate::model::evidence::n_plus_one::{
    BatchProof, BatchRefusal, Certainty, ColumnPair, FormCost, Growth, JoinProof, LoopGroup,
    NPlusOneEvidence, RepeatGroup, RepeatKind, RoundTripCost, ShapeReference,
};

mirror! {
    /// A statement's normalised form, as reports name it.
    struct ShapeReferenceEntry of ShapeReference {
        /// The normalised text, cut at the recorder's bound.
        text: String,
        /// Hash of the whole normalised text, stable between runs and machines.
        hash: Hex,
    }

    /// Where a child's varying values come from.
    struct ColumnPairEntry of ColumnPair {
        /// Column of the parent's result, such as `orders.user_id`.
        from: String,
        /// What the child compares it with, such as `users.id`.
        to: String,
        /// Executions whose value this column held beforehand.
        explained: u64,
    }

    /// How sure the trace makes a claim.
    words CertaintyEntry of Certainty {
        Possible = "possible",
        Likely = "likely",
        Strong = "strong",
    }

    /// A loop proven by its data: one parent, one child shape, one scope.
    struct LoopGroupEntry of LoopGroup {
        /// Parent shape, child shape and column pair as one stable word: what a baseline refers to.
        fingerprint: String,
        /// Where it ran.
        scope: String,
        /// The statement whose rows feed the child.
        parent: ShapeReferenceEntry,
        /// The statement asked per row.
        child: ShapeReferenceEntry,
        /// Other children of the same rows, where the kind of a row says which of them is asked;
        /// `executions` and what follows from it count all of them.
        #[serde(default)]
        other_children: Vec<ShapeReferenceEntry>,
        /// The data flow, the deciding pair first.
        pairs: Vec<ColumnPairEntry>,
        /// N: executions of the child.
        executions: u64,
        /// Executions of the parent that feed them; more than one below another loop.
        parent_executions: u64,
        /// Rows that these returned.
        parent_rows: u64,
        /// Most children of a single parent execution.
        most_per_parent: u64,
        /// How far `executions` may be off: executions that may belong to another loop or to none.
        #[serde(default)]
        uncertain: u64,
        /// Those of `executions` that go on behind the parent's rows whose values were kept: the
        /// recorder's bound was reached, and that they belong to the loop follows from their place.
        #[serde(default)]
        beyond_kept: u64,
        /// Different values that the children asked for.
        distinct_values: u64,
        /// Share of the child's executions in the loop's span that the parent's values explain, 0 to 1.
        explained: Real,
        /// Executions that returned no row.
        empty: u64,
        /// Executions that ended in an error.
        failed: u64,
        /// Time of all executions as the recorder saw it, in microseconds.
        total_us: u64,
        /// Their share of the time of all statements of the scope, 0 to 1.
        share_of_scope: Real,
        /// Connections that the children ran on.
        connections: u64,
        /// The loop that the parent itself is the child of: its place in the list.
        inside: Option<usize>,
        /// How sure this is.
        certainty: CertaintyEntry,
        /// Where in the code, from the framework's comment tags.
        call_site: Option<String>,
        /// Accepted by the baseline, with this reason.
        accepted: Option<String>,
    }

    /// What kind of repetition without a proven loop.
    words RepeatKindEntry of RepeatKind {
        WithoutVisibleParent = "repeated-query-without-visible-parent",
        Redundant = "redundant-query",
        RowByRowWrites = "row-by-row-writes",
    }

    /// A repetition without a proven loop.
    struct RepeatGroupEntry of RepeatGroup {
        /// Its kind.
        kind: RepeatKindEntry,
        /// Where it ran.
        scope: String,
        /// The statement.
        shape: ShapeReferenceEntry,
        /// How often.
        executions: u64,
        /// With how many different sets of values.
        distinct_values: u64,
        /// Time of all executions, in microseconds.
        total_us: u64,
        /// Where in the code, from the framework's comment tags.
        call_site: Option<String>,
    }

    /// One form of a child, executed for comparison.
    struct FormCostEntry of FormCost {
        /// Round trips.
        round_trips: u64,
        /// Client-seen time, in microseconds.
        time_us: Real,
        /// Shared blocks hit and read.
        buffers: u64,
        /// Rows returned.
        rows: u64,
    }

    /// The batched form of a loop's child, tried against the database.
    struct BatchProofEntry of BatchProof {
        /// Which loop.
        fingerprint: String,
        /// The batched statement.
        batched_sql: String,
        /// Whether both forms returned the same rows for the same values.
        same_rows: bool,
        /// One statement per value.
        looped: FormCostEntry,
        /// One statement.
        batched: FormCostEntry,
        /// How many values both were tried with, from the database's own data.
        values: u64,
    }

    /// A loop's parent and child as one statement, tried against the database.
    struct JoinProofEntry of JoinProof {
        /// Which loop.
        fingerprint: String,
        /// The parent's statement with the child joined to it, which returned the same rows.
        joined_sql: String,
        /// The parent once, and one child per different value.
        looped: FormCostEntry,
        /// One statement.
        joined: FormCostEntry,
        /// Rows of the parent.
        parent_rows: u64,
        /// How many different values its column held.
        values: u64,
    }

    /// A loop that could not be batched, or not be joined, and why.
    struct BatchRefusalEntry of BatchRefusal {
        /// Which loop.
        fingerprint: String,
        /// Why not, as a phrase after "because".
        reason: String,
    }

    /// What a loop costs in waiting at one round-trip time.
    struct RoundTripCostEntry of RoundTripCost {
        /// Which loop.
        fingerprint: String,
        /// The round-trip time supposed, in microseconds.
        round_trip_us: u64,
        /// N round trips, in microseconds.
        looped_us: u64,
        /// One round trip, in microseconds.
        batched_us: u64,
    }

    /// A shape's count at two volumes.
    struct GrowthEntry of Growth {
        /// The statement.
        shape: ShapeReferenceEntry,
        /// Executions at the smaller volume.
        small: u64,
        /// Executions at the larger volume.
        large: u64,
        /// Whether the count grows with the data.
        grows: bool,
    }

    /// Everything a reader may want to see behind the verdict of `n-plus-one`.
    struct NPlusOneEvidenceEntry of NPlusOneEvidence {
        /// What was judged: trace files, commands, built-in workloads.
        sources: Vec<String>,
        /// Statements judged.
        statements: u64,
        /// Connections seen.
        connections: u64,
        /// Different shapes.
        shapes: u64,
        /// Every scope seen, in order of appearance; a JUnit case each.
        scopes: Vec<String>,
        /// Loops, worst first.
        loops: Vec<LoopGroupEntry>,
        /// Other repetitions.
        repeats: Vec<RepeatGroupEntry>,
        /// Batched forms that were tried.
        batched: Vec<BatchProofEntry>,
        /// Joins with the parent that were tried.
        #[serde(default)]
        joined: Vec<JoinProofEntry>,
        /// Loops without a batched form.
        not_batched: Vec<BatchRefusalEntry>,
        /// Loops whose join with the parent can be written, and was not tried to the end or failed.
        #[serde(default)]
        not_joined: Vec<BatchRefusalEntry>,
        /// What the loops cost at other round-trip times.
        round_trips: Vec<RoundTripCostEntry>,
        /// Counts at two volumes, where asked for.
        growth: Vec<GrowthEntry>,
        /// Baseline entries that matched nothing.
        stale_baseline: Vec<String>,
    }
}
