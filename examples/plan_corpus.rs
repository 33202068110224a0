//! Reads every plan (`EXPLAIN (FORMAT JSON)`) below a folder, draws it and
//! compares it with itself: `cargo run --example plan_corpus -- FOLDER…`.
//!
//! Ends with 1 where a plan cannot be read, draws to nothing, or differs from itself.
#![expect(clippy::print_stdout, reason = "printing is what this example is for")]

use plimsoll::plan::{Plan, render};
use plimsoll::scenarios::regression::diff::diff;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn main() -> anyhow::Result<()> {
    let mut wrong = 0_usize;
    for folder in std::env::args_os().skip(1).map(PathBuf::from) {
        let mut nodes: BTreeMap<String, usize> = BTreeMap::new();
        let mut carried: BTreeSet<String> = BTreeSet::new();
        let (mut read, mut changed) = (0_usize, 0_usize);
        let mut previous: Option<Plan> = None;
        for path in files(&folder)? {
            let problem = match Plan::parse(&std::fs::read_to_string(&path)?) {
                Err(error) => Some(error.to_string()),
                Ok(plan) => {
                    read += 1;
                    for visit in plan.walk() {
                        *nodes.entry(visit.node.node_type.clone()).or_default() += 1;
                        carried.extend(visit.node.other.keys().cloned());
                    }
                    let problem = problem(&plan);
                    // Neighbours are other queries: their difference is never nothing by accident.
                    changed +=
                        usize::from(previous.is_some_and(|previous| !diff(&previous, &plan).is_empty()));
                    previous = Some(plan);
                    problem
                }
            };
            if let Some(problem) = problem {
                wrong += 1;
                println!("{}: {problem}", path.display());
            }
        }
        println!(
            "{}: {read} plans, {} kinds of node, {changed} differ from their neighbour",
            folder.display(),
            nodes.len()
        );
        println!(
            "  nodes: {}",
            nodes.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
        );
        println!(
            "  carried without a name of their own: {}",
            carried.into_iter().collect::<Vec<_>>().join(", ")
        );
    }
    anyhow::ensure!(wrong == 0, "{wrong} plans are wrong");
    Ok(())
}

fn problem(plan: &Plan) -> Option<String> {
    let changes = diff(plan, plan);
    if !changes.is_empty() {
        return Some(format!("differs from itself: {}", changes[0].sentence()));
    }
    if render(plan).lines().count() < plan.walk().count() {
        return Some("is drawn with fewer lines than nodes".into());
    }
    // Workers evaluate an InitPlan each, in places that a plan does not tell.
    if plan.is_parallel() {
        return None;
    }
    let own: u64 = plan.exclusive().iter().map(|own| own.buffers.shared()).sum();
    let whole = plan.root.buffers.map_or(0, |buffers| buffers.shared());
    (own != whole).then(|| format!("exclusive blocks add up to {own}, the root says {whole}"))
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}
