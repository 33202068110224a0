//! Whether a change of level is one in time, or the difference between two branches whose
//! runs happen to follow one another.

use super::TrendPoint;
use crate::model::Unit;
use crate::report::units;
use crate::stats::change_points::ChangePoint;
use crate::stats::quantile::median;

/// More branches than this are counted, not named.
const NAMED: usize = 3;

/// The runs of a branch in the stretch before a change of level, and in the one after it.
struct Branch<'p, 'a> {
    /// `None` for runs of which no branch is known, such as those of a detached checkout.
    name: Option<&'a str>,
    before: Vec<&'p TrendPoint<'a>>,
    after: Vec<&'p TrendPoint<'a>>,
}

impl Branch<'_, '_> {
    fn said(&self) -> &str {
        self.name.unwrap_or("runs of no known branch")
    }

    fn was_at_level_before(&self, change: &ChangePoint) -> bool {
        is_at(change.before, change.after, &self.before)
    }

    fn is_at_level_after(&self, change: &ChangePoint) -> bool {
        is_at(change.after, change.before, &self.after)
    }

    /// Whether its own runs show the change.
    fn changed(&self, change: &ChangePoint) -> bool {
        self.was_at_level_before(change) && self.is_at_level_after(change)
    }
}

/// Whether the runs, of which there are some, are nearer to the one level than to the other.
fn is_at(level: f64, other: f64, points: &[&TrendPoint<'_>]) -> bool {
    let values: Vec<f64> = points.iter().map(|point| point.measurement.value).collect();
    median(&values).is_some_and(|value| (value - level).abs() < (value - other).abs())
}

/// What the branches say of the change between two stretches of runs: nothing where a branch's
/// own runs show it from its first run on, or where no branch is known; since when another
/// branch has it, where it came from one that was not seen before; else that it may be none.
pub(super) fn remark(
    before: &[TrendPoint<'_>],
    after: &[TrendPoint<'_>],
    change: &ChangePoint,
    unit: Unit,
) -> Option<String> {
    let branches = by_branch(before, after);
    if branches.iter().all(|branch| branch.name.is_none()) {
        return None;
    }
    let first = branch_of(after.first()?);
    let changed = branches.iter().filter(|branch| branch.name.is_some() && branch.changed(change));
    // Of several, the one with the most runs: a trunk rather than what was merged into it.
    let Some(main) = changed.max_by_key(|branch| branch.before.len() + branch.after.len()) else {
        return Some(doubt(&branches, change, unit));
    };
    let came_from = branches.iter().find(|branch| branch.name == first && !branch.changed(change))?;
    let since = &main.after.iter().find(|point| is_at(change.after, change.before, &[*point]))?.run.run_id;
    Some(format!("first on {}, on {} since run {since}", came_from.said(), main.said()))
}

fn branch_of<'a>(point: &TrendPoint<'a>) -> Option<&'a str> {
    point.run.environment.git_branch.as_deref()
}

fn by_branch<'p, 'a>(before: &'p [TrendPoint<'a>], after: &'p [TrendPoint<'a>]) -> Vec<Branch<'p, 'a>> {
    let mut branches: Vec<Branch<'p, 'a>> = Vec::new();
    let sides = before.iter().map(|point| (point, false)).chain(after.iter().map(|point| (point, true)));
    for (point, is_after) in sides {
        let name = branch_of(point);
        let place = branches.iter().position(|branch| branch.name == name).unwrap_or_else(|| {
            branches.push(Branch { name, before: Vec::new(), after: Vec::new() });
            branches.len() - 1
        });
        let branch = &mut branches[place];
        if is_after { branch.after.push(point) } else { branch.before.push(point) }
    }
    branches
}

fn doubt(branches: &[Branch<'_, '_>], change: &ChangePoint, unit: Unit) -> String {
    let of = |is_wanted: &dyn Fn(&Branch<'_, '_>) -> bool| {
        let wanted: Vec<&str> = branches.iter().filter(|b| is_wanted(b)).map(Branch::said).collect();
        listed(&wanted)
    };
    let (then, now) = (of(&|b| b.was_at_level_before(change)), of(&|b| b.is_at_level_after(change)));
    let stayed = branches.iter().find_map(|branch| {
        let last = branch.after.last().filter(|_| branch.was_at_level_before(change))?;
        let value = units::format(last.measurement.value, unit);
        (!branch.is_at_level_after(change))
            .then(|| format!("; {} still took {value} in run {}", branch.said(), last.run.run_id))
    });
    format!(
        "perhaps the branches differ, and none changed: {then} before, {now} from there{}",
        stayed.unwrap_or_default()
    )
}

fn listed(names: &[&str]) -> String {
    let (named, more) = names.split_at(names.len().min(NAMED));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    format!("{}{more}", named.join(", "))
}
