//! Where and of what a run is made: read once, passed on as data.

use crate::model::Environment;
use crate::stats::clock;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The machine, and the commit and branch of the project's repository where
/// there is one.
pub(super) fn read(project: &Path) -> Environment {
    let commit = git(project, &["rev-parse", "HEAD"]);
    let branch = git(project, &["rev-parse", "--abbrev-ref", "HEAD"]).filter(|branch| branch != "HEAD");
    let job = CiJob::of(project, &|name| std::env::var_os(name)?.into_string().ok());
    let (git_commit, git_branch) = job.complete(commit, branch);
    Environment {
        git_commit,
        git_branch,
        cpu_count: std::thread::available_parallelism().map_or(1, usize::from),
        operating_system: std::env::consts::OS.to_owned(),
        processor: processor(),
    }
}

/// What a CI service says about the checkout that the project lies in. CI
/// checks commits out without a branch, and git refuses to read a checkout that
/// belongs to another user of the container.
#[derive(Debug, Default, PartialEq, Eq)]
struct CiJob {
    commit: Option<String>,
    branch: Option<String>,
}

impl CiJob {
    fn of(project: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let first =
            |names: &[&str]| names.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
        let is_checked_out_at = |name: &str| {
            let checkout = variable(name).map(PathBuf::from).and_then(|path| path.canonicalize().ok());
            let project = project.canonicalize().ok();
            checkout.zip(project).is_some_and(|(checkout, project)| project.starts_with(checkout))
        };
        if is_checked_out_at("GITHUB_WORKSPACE") {
            let branch = first(&["GITHUB_HEAD_REF", "GITHUB_REF_NAME"]);
            return Self { commit: first(&["GITHUB_SHA"]), branch };
        }
        if is_checked_out_at("CI_PROJECT_DIR") {
            let branch = first(&["CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME"]);
            return Self { commit: first(&["CI_COMMIT_SHA"]), branch };
        }
        Self::default()
    }

    /// What git says wins; the job's branch is that of the job's commit only.
    fn complete(self, commit: Option<String>, branch: Option<String>) -> (Option<String>, Option<String>) {
        let commit = commit.or_else(|| self.commit.clone());
        let is_jobs_commit = commit.is_some() && commit == self.commit;
        let branch = branch.or(self.branch.filter(|_| is_jobs_commit));
        (commit, branch)
    }
}

/// Tells machines apart that have as many processors. Linux has it; elsewhere none is known.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned()).filter(|name| !name.is_empty())
}

/// What git prints, or nothing: no git and no repository are no problem.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").arg("-C").arg(folder).args(arguments).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// UTC, RFC 3339, to the second.
pub(super) fn started_at() -> String {
    timestamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Unique, and sorts by time.
pub(super) fn run_id() -> String {
    format!("{}-{:06x}", timestamp().strftime("%Y%m%dT%H%M%S"), rand::random::<u32>() & 0x00ff_ffff)
}

fn timestamp() -> jiff::Timestamp {
    // A clock before 1970 or past 9999 has no name for a folder; the epoch has.
    jiff::Timestamp::try_from(clock::wall_clock()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::CiJob;

    fn text(value: &str) -> Option<String> {
        (!value.is_empty()).then(|| value.to_owned())
    }

    #[test]
    fn a_job_names_the_branch_of_the_checkout_the_project_lies_in() {
        let checkout = tempfile::tempdir().unwrap();
        let project = checkout.path().join("services/shop");
        std::fs::create_dir_all(&project).unwrap();
        let place = checkout.path().to_string_lossy().into_owned();
        for (variables, commit, branch) in [
            (
                vec![("GITHUB_WORKSPACE", &*place), ("GITHUB_SHA", "c1"), ("GITHUB_REF_NAME", "main")],
                "c1",
                "main",
            ),
            (
                vec![
                    ("GITHUB_WORKSPACE", &*place),
                    ("GITHUB_SHA", "c1"),
                    ("GITHUB_HEAD_REF", "topic"),
                    ("GITHUB_REF_NAME", "7/merge"),
                ],
                "c1",
                "topic",
            ),
            (
                vec![("CI_PROJECT_DIR", &*place), ("CI_COMMIT_SHA", "c2"), ("CI_COMMIT_REF_NAME", "topic")],
                "c2",
                "topic",
            ),
            (
                vec![("GITHUB_WORKSPACE", "/elsewhere"), ("GITHUB_SHA", "c1"), ("GITHUB_REF_NAME", "main")],
                "",
                "",
            ),
            (vec![], "", ""),
        ] {
            let variable =
                |name: &str| Some(variables.iter().find(|(known, _)| *known == name)?.1.to_owned());
            let expected = CiJob { commit: text(commit), branch: text(branch) };
            assert_eq!(CiJob::of(&project, &variable), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_branch_is_taken_from_the_job_for_its_own_commit_only() {
        for (git_commit, git_branch, commit, branch) in [
            ("c1", "", "c1", "topic"),
            ("base", "", "base", ""),
            ("c1", "local", "c1", "local"),
            ("", "", "c1", "topic"),
        ] {
            let job = CiJob { commit: text("c1"), branch: text("topic") };
            assert_eq!(
                job.complete(text(git_commit), text(git_branch)),
                (text(commit), text(branch)),
                "{git_commit} {git_branch}"
            );
        }
    }
}
