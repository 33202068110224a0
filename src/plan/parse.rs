//! From EXPLAIN's JSON to a [`Plan`]. Lenient in what it knows (a missing
//! field is `None`), strict in one thing: every node has a `Node Type`.

use super::fields::Fields;
use super::node::{
    Actual, Buffers, Condition, ConditionKind, Estimate, HashUse, MemoizeUse, PlanNode, RowsRemoved,
    SortGroups, SortUse, Wal, Worker,
};
use super::plan_tree::{Plan, Trigger};
use serde_json::Value;

/// Why a text is not a plan.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Not JSON, or nested deeper than 128 levels.
    #[error("the plan is not readable JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON, but not what `EXPLAIN (FORMAT JSON)` writes.
    #[error("not a plan: expected {expected}, found {found}")]
    NotAPlan {
        /// What should have been there.
        expected: &'static str,
        /// The start of what was there.
        found: String,
    },
    /// More than one statement was explained, as rewrite rules can do.
    #[error("{count} plans where one was expected: the statement is rewritten into several by a rule")]
    SeveralPlans {
        /// How many.
        count: usize,
    },
}

impl Plan {
    /// Reads what `EXPLAIN (FORMAT JSON)` returned for one statement.
    ///
    /// # Errors
    /// The text is not JSON, not a plan, or holds several plans.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut plans = Self::parse_all(text)?;
        match (plans.pop(), plans.len()) {
            (Some(plan), 0) => Ok(plan),
            (_, rest) => Err(ParseError::SeveralPlans { count: rest + 1 }),
        }
    }

    /// Reads all plans: a statement with rewrite rules has several.
    ///
    /// # Errors
    /// The text is not JSON, or not a list of at least one plan.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, ParseError> {
        let plans = match serde_json::from_str(text)? {
            Value::Array(items) if !items.is_empty() => items.into_iter().map(plan).collect(),
            // auto_explain writes a single object.
            single @ Value::Object(_) => plan(single).map(|plan| vec![plan]),
            other => Err(not_a_plan("a list of explained statements", &other)),
        }?;
        Ok(plans)
    }
}

fn not_a_plan(expected: &'static str, found: &Value) -> ParseError {
    let mut found = found.to_string();
    if let Some((cut, _)) = found.char_indices().nth(80) {
        found.truncate(cut);
        found.push('…');
    }
    ParseError::NotAPlan { expected, found }
}

fn plan(value: Value) -> Result<Plan, ParseError> {
    let Value::Object(map) = value else { return Err(not_a_plan("an object with a \"Plan\"", &value)) };
    let mut top = Fields(map);
    let Some(root) = top.object("Plan") else {
        return Err(not_a_plan("an object with a \"Plan\"", &Value::Object(top.0)));
    };
    let mut planning_buffers = None;
    if let Some(mut planning) = top.object("Planning") {
        planning_buffers = buffers(&mut planning);
        if !planning.0.is_empty() {
            top.0.insert("Planning".into(), Value::Object(planning.0));
        }
    }
    let identifier = top.0.get("Query Identifier").and_then(Value::as_i64);
    if identifier.is_some() {
        top.0.shift_remove("Query Identifier");
    }
    Ok(Plan {
        root: node(root)?,
        planning_ms: top.number("Planning Time"),
        execution_ms: top.number("Execution Time"),
        planning_buffers,
        triggers: top.objects("Triggers").into_iter().map(trigger).collect(),
        jit: top.object("JIT").map(|jit| jit.0),
        settings: top.object("Settings").map(|settings| settings.0).unwrap_or_default(),
        query_identifier: identifier,
        other: top.0,
    })
}

fn trigger(mut fields: Fields) -> Trigger {
    Trigger {
        name: fields.text("Trigger Name").unwrap_or_default(),
        constraint: fields.text("Constraint Name"),
        relation: fields.text("Relation"),
        time_ms: fields.number("Time"),
        calls: fields.number("Calls").unwrap_or(0.0),
        other: fields.0,
    }
}

fn node(mut fields: Fields) -> Result<PlanNode, ParseError> {
    let Some(node_type) = fields.text("Node Type") else {
        return Err(not_a_plan("a node with a \"Node Type\"", &Value::Object(fields.0)));
    };
    let children = fields.objects("Plans").into_iter().map(node).collect::<Result<_, _>>()?;
    let mut parsed = PlanNode {
        node_type,
        children,
        estimate: estimate(&mut fields),
        actual: actual(&mut fields),
        conditions: conditions(&mut fields),
        rows_removed: rows_removed(&mut fields),
        sort: sort(&mut fields),
        hash: hash(&mut fields),
        memoize: memoize(&mut fields),
        buffers: buffers(&mut fields),
        wal: wal(&mut fields),
        workers: fields.objects("Workers").into_iter().map(worker).collect(),
        ..PlanNode::default()
    };
    identity(&mut parsed, &mut fields);
    counts(&mut parsed, &mut fields);
    parsed.other = fields.0;
    Ok(parsed)
}

fn identity(node: &mut PlanNode, fields: &mut Fields) {
    node.parent_relationship = fields.text("Parent Relationship");
    node.subplan_name = fields.text("Subplan Name");
    node.strategy = fields.text("Strategy");
    node.partial_mode = fields.text("Partial Mode");
    node.operation = fields.text("Operation");
    node.command = fields.text("Command");
    node.parallel_aware = fields.flag("Parallel Aware").unwrap_or(false);
    node.async_capable = fields.flag("Async Capable").unwrap_or(false);
    node.disabled = fields.flag("Disabled").unwrap_or(false);
    node.relation = fields.text("Relation Name");
    node.schema = fields.text("Schema");
    node.alias = fields.text("Alias");
    node.index = fields.text("Index Name");
    node.cte = fields.text("CTE Name");
    node.source = ["Function Name", "Table Function Name", "Tuplestore Name", "Custom Plan Provider"]
        .into_iter()
        .find_map(|key| fields.text(key));
    node.join_type = fields.text("Join Type");
    node.inner_unique = fields.flag("Inner Unique").unwrap_or(false);
    node.scan_direction = fields.text("Scan Direction");
}

fn counts(node: &mut PlanNode, fields: &mut Fields) {
    node.sort_key = fields.texts("Sort Key");
    node.presorted_key = fields.texts("Presorted Key");
    node.group_key = fields.texts("Group Key");
    node.output = fields.texts("Output");
    node.heap_fetches = fields.count("Heap Fetches");
    node.exact_heap_blocks = fields.count("Exact Heap Blocks");
    node.lossy_heap_blocks = fields.count("Lossy Heap Blocks");
    node.index_searches = fields.count("Index Searches");
    node.subplans_removed = fields.count("Subplans Removed");
    node.workers_planned = fields.count("Workers Planned");
    node.workers_launched = fields.count("Workers Launched");
}

fn estimate(fields: &mut Fields) -> Estimate {
    Estimate {
        startup_cost: fields.number("Startup Cost").unwrap_or(0.0),
        total_cost: fields.number("Total Cost").unwrap_or(0.0),
        rows: fields.number("Plan Rows").unwrap_or(0.0),
        width_bytes: fields.number("Plan Width").unwrap_or(0.0),
    }
}

fn actual(fields: &mut Fields) -> Option<Actual> {
    let loops = fields.number("Actual Loops")?;
    Some(Actual {
        startup_ms: fields.number("Actual Startup Time"),
        total_ms: fields.number("Actual Total Time"),
        rows: fields.number("Actual Rows").unwrap_or(0.0),
        loops,
    })
}

fn conditions(fields: &mut Fields) -> Vec<Condition> {
    let take = |kind: ConditionKind| Some(Condition { kind, text: fields.text(kind.name())? });
    ConditionKind::ALL.into_iter().filter_map(take).collect()
}

fn rows_removed(fields: &mut Fields) -> RowsRemoved {
    let mut rows = |key| fields.number(key).unwrap_or(0.0);
    RowsRemoved {
        by_filter: rows("Rows Removed by Filter"),
        by_join_filter: rows("Rows Removed by Join Filter"),
        by_index_recheck: rows("Rows Removed by Index Recheck"),
        by_conflict_filter: rows("Rows Removed by Conflict Filter"),
    }
}

fn sort(fields: &mut Fields) -> SortUse {
    SortUse {
        method: fields.text("Sort Method"),
        space_kb: fields.number("Sort Space Used"),
        space_type: fields.text("Sort Space Type"),
        full_sort_groups: fields.object("Full-sort Groups").map(sort_groups),
        presorted_groups: fields.object("Pre-sorted Groups").map(sort_groups),
    }
}

fn sort_groups(mut fields: Fields) -> SortGroups {
    let mut peak = |key: &str| fields.object(key).and_then(|mut space| space.number("Peak Sort Space Used"));
    let (peak_memory_kb, peak_disk_kb) = (peak("Sort Space Memory"), peak("Sort Space Disk"));
    SortGroups {
        count: fields.number("Group Count").unwrap_or(0.0),
        methods: fields.texts("Sort Methods Used"),
        peak_memory_kb,
        peak_disk_kb,
    }
}

fn hash(fields: &mut Fields) -> HashUse {
    HashUse {
        buckets: fields.count("Hash Buckets"),
        original_buckets: fields.count("Original Hash Buckets"),
        batches: fields.count("Hash Batches").or_else(|| fields.count("HashAgg Batches")),
        original_batches: fields.count("Original Hash Batches"),
        planned_partitions: fields.count("Planned Partitions"),
        peak_memory_kb: fields.number("Peak Memory Usage"),
        disk_kb: fields.number("Disk Usage"),
    }
}

fn memoize(fields: &mut Fields) -> MemoizeUse {
    MemoizeUse {
        mode: fields.text("Cache Mode"),
        hits: fields.count("Cache Hits"),
        misses: fields.count("Cache Misses"),
        evictions: fields.count("Cache Evictions"),
        overflows: fields.count("Cache Overflows"),
    }
}

fn buffers(fields: &mut Fields) -> Option<Buffers> {
    let shared_hit = fields.count("Shared Hit Blocks")?;
    let mut blocks = |key| fields.count(key).unwrap_or(0);
    Some(Buffers {
        shared_hit,
        shared_read: blocks("Shared Read Blocks"),
        shared_dirtied: blocks("Shared Dirtied Blocks"),
        shared_written: blocks("Shared Written Blocks"),
        local_hit: blocks("Local Hit Blocks"),
        local_read: blocks("Local Read Blocks"),
        local_dirtied: blocks("Local Dirtied Blocks"),
        local_written: blocks("Local Written Blocks"),
        temp_read: blocks("Temp Read Blocks"),
        temp_written: blocks("Temp Written Blocks"),
    })
}

fn wal(fields: &mut Fields) -> Option<Wal> {
    let records = fields.count("WAL Records")?;
    Some(Wal {
        records,
        full_page_images: fields.count("WAL FPI").unwrap_or(0),
        bytes: fields.count("WAL Bytes").unwrap_or(0),
    })
}

fn worker(mut fields: Fields) -> Worker {
    Worker {
        number: fields.count("Worker Number"),
        actual: actual(&mut fields),
        sort: sort(&mut fields),
        other: fields.0,
    }
}
