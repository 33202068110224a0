//! What two runs differ in besides their results, and what may therefore not
//! be judged.

use crate::model::evidence::Evidence;
use crate::model::{RunReport, TargetDescription};

/// What makes two runs hard to compare.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fairness {
    /// One phrase per difference.
    pub differences: Vec<String>,
    /// Why times are not judged; `None` where they are.
    pub times: Option<String>,
    /// Why counters are not judged; `None` where they are.
    pub counters: Option<String>,
    /// Volumes that are called the same and are not the same size.
    pub resized: Vec<String>,
}

impl Fairness {
    /// Looks at everything the reports say of their surroundings.
    #[must_use]
    pub fn of(before: &RunReport, after: &RunReport) -> Self {
        let mut fairness = Self::default();
        if before.project != after.project {
            fairness.both(format!("different projects: {} and {}", before.project, after.project));
        }
        if before.seed != after.seed {
            fairness.both(format!(
                "different seeds ({} and {}): other data and parameters",
                before.seed, after.seed
            ));
        }
        fairness.machine(before, after);
        match (&before.target, &after.target) {
            (Some(then), Some(now)) => fairness.servers(then, now),
            _ => fairness.both("a run did not reach its server".into()),
        }
        for run in [before, after] {
            if !run.complete {
                fairness.differences.push(format!("run {} is partial", run.run_id));
            }
        }
        match [before, after].map(is_debug_build) {
            [false, false] => {}
            [true, true] => fairness.differences.push("both runs were made with a debug build".into()),
            _ => fairness.times_only("one of the runs was made with a debug build".into()),
        }
        if before.plimsoll_version != after.plimsoll_version {
            let (then, now) = (&before.plimsoll_version, &after.plimsoll_version);
            fairness.differences.push(format!("different versions of Plimsoll: {then} and {now}"));
        }
        fairness.resized = resized(before, after);
        for volume in &fairness.resized {
            fairness.differences.push(format!("volume {volume} is not the same size in both"));
        }
        fairness
    }

    fn machine(&mut self, before: &RunReport, after: &RunReport) {
        let (then, now) = (&before.environment, &after.environment);
        if then.is_same_machine(now) {
            return;
        }
        let difference = match (&then.processor, &now.processor) {
            (Some(was), Some(is)) if was != is => format!("{was} and {is}"),
            _ => format!(
                "{} processors on {} and {} on {}",
                then.cpu_count, then.operating_system, now.cpu_count, now.operating_system
            ),
        };
        self.times_only(format!("different machines: {difference}"));
    }

    fn servers(&mut self, then: &TargetDescription, now: &TargetDescription) {
        if then.major_version() != now.major_version() {
            let (then, now) = (then.short_version(), now.short_version());
            self.both(format!("different servers: PostgreSQL {then} and {now}"));
        } else if then.server_version_num != now.server_version_num {
            let (then, now) = (then.short_version(), now.short_version());
            self.differences.push(format!("different minor versions: PostgreSQL {then} and {now}"));
        }
        if then.kind != now.kind {
            self.both(format!("different targets: {} and {}", then.kind.word(), now.kind.word()));
        }
        if then.durability != now.durability {
            self.times_only("different durability settings".into());
        }
    }

    fn both(&mut self, why: String) {
        self.counters.get_or_insert_with(|| why.clone());
        self.times_only(why);
    }

    fn times_only(&mut self, why: String) {
        self.times.get_or_insert_with(|| why.clone());
        self.differences.push(why);
    }
}

fn is_debug_build(run: &RunReport) -> bool {
    run.warnings.iter().any(|warning| warning.code() == "debug-build")
}

fn resized(before: &RunReport, after: &RunReport) -> Vec<String> {
    let then = factors(before);
    let changed = |(name, factor): &(&str, f64)| {
        then.iter().any(|(other, was)| other == name && (was - factor).abs() > 1e-9)
    };
    factors(after).iter().filter(|volume| changed(volume)).map(|(name, _)| (*name).to_owned()).collect()
}

fn factors(run: &RunReport) -> Vec<(&str, f64)> {
    let evidence = run.scenarios.iter().filter_map(|scenario| match &scenario.evidence {
        Evidence::SlowQueries(evidence) => Some(evidence),
        _ => None,
    });
    evidence.flat_map(|evidence| &evidence.volumes).map(|v| (v.volume.as_str(), v.factor)).collect()
}
