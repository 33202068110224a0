//! Evidence of `n-plus-one`.

use crate::model::Finding;

/// A statement's normalised form, as reports name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ShapeReference {
    /// The normalised text, cut at the recorder's bound.
    pub text: String,
    /// Hash of the whole normalised text, stable between runs and machines.
    pub hash: u64,
}

/// Where a child's varying values come from.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnPair {
    /// Column of the parent's result, such as `orders.user_id`.
    pub from: String,
    /// What the child compares it with, such as `users.id`.
    pub to: String,
    /// Executions whose value this column held beforehand.
    pub explained: u64,
}

/// How sure the trace makes a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// The values fit, but they also could by chance, or by use of what was listed.
    Possible,
    /// The values fit, and so do order and coverage.
    Likely,
    /// The values fit, and so do the names and the order or the coverage.
    Strong,
}

impl Certainty {
    /// `possible`, `likely` or `strong`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Strong => "strong",
        }
    }
}

/// A loop proven by its data: one parent, one child shape, one scope.
#[derive(Debug, Clone, PartialEq)]
pub struct LoopGroup {
    /// Parent shape, child shape and column pair as one stable word: what a baseline refers to.
    pub fingerprint: String,
    /// Where it ran.
    pub scope: String,
    /// The statement whose rows feed the child.
    pub parent: ShapeReference,
    /// The statement asked per row.
    pub child: ShapeReference,
    /// Other children of the same rows, where the kind of a row says which of them is asked;
    /// `executions` and what follows from it count all of them.
    pub other_children: Vec<ShapeReference>,
    /// The data flow, the deciding pair first.
    pub pairs: Vec<ColumnPair>,
    /// N: executions of the child.
    pub executions: u64,
    /// Executions of the parent that feed them; more than one below another loop.
    pub parent_executions: u64,
    /// Rows that these returned.
    pub parent_rows: u64,
    /// Most children of a single parent execution.
    pub most_per_parent: u64,
    /// How far `executions` may be off: executions that may belong to another loop or to none.
    pub uncertain: u64,
    /// Those of `executions` that go on behind the parent's rows whose values were kept: the
    /// recorder's bound was reached, and that they belong to the loop follows from their place.
    pub beyond_kept: u64,
    /// Different values that the children asked for.
    pub distinct_values: u64,
    /// Share of the child's executions in the loop's span that the parent's values explain, 0 to 1.
    pub explained: f64,
    /// Executions that returned no row.
    pub empty: u64,
    /// Executions that ended in an error.
    pub failed: u64,
    /// Time of all executions as the recorder saw it, in microseconds.
    pub total_us: u64,
    /// Their share of the time of all statements of the scope, 0 to 1.
    pub share_of_scope: f64,
    /// Connections that the children ran on.
    pub connections: u64,
    /// The loop that the parent itself is the child of: its place in the list.
    pub inside: Option<usize>,
    /// How sure this is.
    pub certainty: Certainty,
    /// Where in the code, from the framework's comment tags.
    pub call_site: Option<String>,
    /// Accepted by the baseline, with this reason.
    pub accepted: Option<String>,
}

impl LoopGroup {
    /// How its finding names it, as the end of a line of evidence.
    #[must_use]
    pub fn signature(&self) -> String {
        format!("fingerprint: {}", self.fingerprint)
    }
}

impl NPlusOneEvidence {
    /// The reason with which the baseline accepts the loop of a finding.
    #[must_use]
    pub fn accepted(&self, finding: &Finding) -> Option<&str> {
        let names =
            |group: &&LoopGroup| finding.evidence.iter().any(|line| line.ends_with(&group.signature()));
        if finding.code != "n-plus-one" {
            return None;
        }
        self.loops.iter().find(names)?.accepted.as_deref()
    }
}

impl LoopGroup {
    /// All its children, the one asked most first.
    pub fn children(&self) -> impl Iterator<Item = &ShapeReference> {
        std::iter::once(&self.child).chain(&self.other_children)
    }
}

/// What kind of repetition without a proven loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RepeatKind {
    /// Varying keys whose source is not on the wire.
    WithoutVisibleParent,
    /// The same question with the same values, answered the same.
    Redundant,
    /// Rows written one statement each.
    RowByRowWrites,
}

impl RepeatKind {
    /// The finding's code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::WithoutVisibleParent => "repeated-query-without-visible-parent",
            Self::Redundant => "redundant-query",
            Self::RowByRowWrites => "row-by-row-writes",
        }
    }
}

/// A repetition without a proven loop.
#[derive(Debug, Clone, PartialEq)]
pub struct RepeatGroup {
    /// Its kind.
    pub kind: RepeatKind,
    /// Where it ran.
    pub scope: String,
    /// The statement.
    pub shape: ShapeReference,
    /// How often.
    pub executions: u64,
    /// With how many different sets of values.
    pub distinct_values: u64,
    /// Time of all executions, in microseconds.
    pub total_us: u64,
    /// Where in the code, from the framework's comment tags.
    pub call_site: Option<String>,
}

/// One form of a child, executed for comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct FormCost {
    /// Round trips.
    pub round_trips: u64,
    /// Client-seen time, in microseconds.
    pub time_us: f64,
    /// Shared blocks hit and read.
    pub buffers: u64,
    /// Rows returned.
    pub rows: u64,
}

impl FormCost {
    /// Whether it took more time or more blocks than another form.
    #[must_use]
    pub fn is_worse_than(&self, other: &Self) -> bool {
        self.time_us > other.time_us || self.buffers > other.buffers
    }
}

/// The batched form of a loop's child, tried against the database.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchProof {
    /// Which loop.
    pub fingerprint: String,
    /// The batched statement.
    pub batched_sql: String,
    /// Whether both forms returned the same rows for the same values.
    pub same_rows: bool,
    /// One statement per value.
    pub looped: FormCost,
    /// One statement.
    pub batched: FormCost,
    /// How many values both were tried with, from the database's own data.
    pub values: u64,
}

impl BatchProof {
    /// Whether it is to be recommended: the same rows, and its own figures are no worse.
    #[must_use]
    pub fn is_way_out(&self) -> bool {
        self.same_rows && !self.batched.is_worse_than(&self.looped)
    }
}

/// A loop's parent and child as one statement, tried against the database.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinProof {
    /// Which loop.
    pub fingerprint: String,
    /// The parent's statement with the child joined to it. It returns what one execution of the parent
    /// and a child for each of its rows returned, or it would not be here.
    pub joined_sql: String,
    /// The parent once, and one child per different value.
    pub looped: FormCost,
    /// One statement.
    pub joined: FormCost,
    /// Rows of the parent.
    pub parent_rows: u64,
    /// How many different values its column held.
    pub values: u64,
}

impl JoinProof {
    /// Whether it is to be recommended: its own figures are no worse.
    #[must_use]
    pub fn is_way_out(&self) -> bool {
        !self.joined.is_worse_than(&self.looped)
    }
}

/// A loop that could not be batched, or not be joined, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRefusal {
    /// Which loop.
    pub fingerprint: String,
    /// Why not, as a phrase after "because".
    pub reason: String,
}

/// What a loop costs in waiting at one round-trip time.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundTripCost {
    /// Which loop.
    pub fingerprint: String,
    /// The round-trip time supposed, in microseconds.
    pub round_trip_us: u64,
    /// N round trips, in microseconds.
    pub looped_us: u64,
    /// One round trip, in microseconds.
    pub batched_us: u64,
}

/// A shape's count at two volumes.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth {
    /// The statement.
    pub shape: ShapeReference,
    /// Executions at the smaller volume.
    pub small: u64,
    /// Executions at the larger volume.
    pub large: u64,
    /// Whether the count grows with the data.
    pub grows: bool,
}

/// Everything a reader may want to see behind the verdict of `n-plus-one`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NPlusOneEvidence {
    /// What was judged: trace files, commands, built-in workloads.
    pub sources: Vec<String>,
    /// Statements judged.
    pub statements: u64,
    /// Connections seen.
    pub connections: u64,
    /// Different shapes.
    pub shapes: u64,
    /// Every scope that something was asked in, or that the application named, in order of appearance; a
    /// JUnit case each.
    pub scopes: Vec<String>,
    /// Loops, worst first.
    pub loops: Vec<LoopGroup>,
    /// Other repetitions.
    pub repeats: Vec<RepeatGroup>,
    /// Batched forms that were tried.
    pub batched: Vec<BatchProof>,
    /// Joins with the parent that were tried.
    pub joined: Vec<JoinProof>,
    /// Loops without a batched form.
    pub not_batched: Vec<BatchRefusal>,
    /// Loops whose join with the parent can be written, and was not tried to the end or failed.
    pub not_joined: Vec<BatchRefusal>,
    /// What the loops cost at other round-trip times.
    pub round_trips: Vec<RoundTripCost>,
    /// Counts at two volumes, where asked for.
    pub growth: Vec<Growth>,
    /// Baseline entries that matched nothing.
    pub stale_baseline: Vec<String>,
}
