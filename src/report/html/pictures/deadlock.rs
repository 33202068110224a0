//! The shortest deadlocking order as a sequence diagram, and who waits for whom.

use super::svg::{Anchor, Drawing, cut, escape};
use super::{over_time, sequence};
use crate::model::evidence::deadlock::{
    Bystander, DeadlockCase, DeadlockEvidence, DeadlockTrial, SpecEvidence,
};
use crate::report::units::duration_us;
use std::f64::consts::TAU;
use std::fmt::Write;

/// More specs than this get no picture; their findings stay.
const SPECS_DRAWN: usize = 20;

pub(super) fn figures(evidence: &DeadlockEvidence) -> Vec<String> {
    let drawn = evidence.specs.iter().filter_map(|spec| Some((spec, spec.deadlock.as_ref()?)));
    drawn
        .take(SPECS_DRAWN)
        .flat_map(|(spec, case)| {
            let mut figures = vec![sequence::figure(spec, case), wait_graph(spec, case)];
            figures.extend(spec.cost.as_ref().and_then(|cost| cost_table(spec, &cost.trials)));
            figures.extend(spec.cost.as_ref().and_then(|cost| bystander(spec, cost.bystander.as_ref()?)));
            figures
        })
        .collect()
}

/// What a session that has nothing to do with the deadlocks waits meanwhile.
fn bystander(spec: &SpecEvidence, bystander: &Bystander) -> Option<String> {
    let title = format!("{}: latency of an uninvolved session while it deadlocks", spec.name);
    let figure = over_time::figure(
        &bystander.series,
        &title,
        ("two or more sessions wait for one another", "the server ends one of them"),
    )?;
    let executes = cut(&bystander.statement, 120);
    Some(format!("{figure}<p class=\"quiet\">The session executes <code>{}</code></p>", escape(&executes)))
}

/// The session and statement of a step.
pub(super) fn step_of<'a>(spec: &'a SpecEvidence, step: &str) -> Option<(usize, &'a str)> {
    spec.sessions
        .iter()
        .enumerate()
        .find_map(|(lane, s)| s.steps.iter().find(|t| t.name == step).map(|t| (lane, t.sql.as_str())))
}

/// How a step ended: in colour, and in words.
pub(super) fn fate(case: &DeadlockCase, step: &str) -> (&'static str, &'static str) {
    let waits = case.wait_graph.iter().any(|e| e.waiter_step == step);
    match (case.victim_step == step, waits) {
        (true, _) => ("fail", "waits, fails: 40P01"),
        (_, true) => ("doubt", "waits"),
        _ => ("pass", "done"),
    }
}

fn wait_graph(spec: &SpecEvidence, case: &DeadlockCase) -> String {
    const RADIUS: f64 = 110.0;
    const MARGIN: f64 = 44.0;
    const NODE: f64 = 46.0;
    let mut sessions: Vec<&str> = case.wait_graph.iter().map(|e| e.waiter_session.as_str()).collect();
    sessions.extend(case.wait_graph.iter().map(|e| e.holder_session.as_str()));
    sessions.sort_unstable();
    sessions.dedup();
    // Two sessions stand beside each other, three and more in a circle.
    let tall = if sessions.len() > 2 { RADIUS } else { 0.0 };
    let centre = (RADIUS + 60.0, tall + MARGIN);
    let mut drawing = Drawing::new(2.0 * centre.0, 2.0 * centre.1);
    let place = |index: usize| {
        let angle = TAU * index as f64 / sessions.len().max(1) as f64 + TAU / 2.0;
        (centre.0 + RADIUS * angle.cos(), centre.1 + RADIUS * angle.sin())
    };
    let mut words = Vec::new();
    for (number, edge) in case.wait_graph.iter().enumerate() {
        let find = |name: &str| sessions.iter().position(|s| *s == name).unwrap_or(0);
        let (from, to) = (place(find(&edge.waiter_session)), place(find(&edge.holder_session)));
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy).max(1.0);
        // Two arrows between the same sessions run beside each other.
        let (ux, uy) = (dx / length, dy / length);
        let side = (-uy * 12.0, ux * 12.0);
        let start = (from.0 + ux * NODE + side.0, from.1 + uy * NODE + side.1);
        let end = (to.0 - ux * NODE + side.0, to.1 - uy * NODE + side.1);
        drawing.arrow(start, end, "doubt", edge.is_soft);
        let middle = ((start.0 + end.0) / 2.0 + side.0, (start.1 + end.1) / 2.0 + side.1 + 4.0);
        drawing.text(middle, Anchor::Middle, "ink", true, &(number + 1).to_string());
        let held = edge.held_mode.as_deref().map(|mode| format!(", held in {mode}")).unwrap_or_default();
        words.push(format!(
            "{} waits for {}: {} on {}{held}",
            edge.waiter_session,
            edge.holder_session,
            edge.wanted_mode,
            edge.object.describe()
        ));
    }
    for (index, session) in sessions.iter().enumerate() {
        let (x, y) = place(index);
        let is_victim = *session == case.victim_session;
        drawing.bar((x - NODE, y - 20.0), (NODE * 2.0, 40.0), if is_victim { "fail" } else { "pass" }, false);
        drawing.text((x, y), Anchor::Middle, "ink", true, &cut(session, 12));
        let fate = if is_victim { "victim" } else { "survivor" };
        drawing.text((x, y + 14.0), Anchor::Middle, if is_victim { "fail" } else { "pass" }, false, fate);
    }
    // The numbers at the arrows, as text that wraps on any screen.
    let legend: String = words.iter().map(|line| format!("<li>{}</li>", escape(line))).collect();
    let title = format!("{}: who waits for whom", spec.name);
    let said = format!("{} sessions, {} arrows, in the list below", sessions.len(), words.len());
    format!("{}<ol class=\"legend\">{legend}</ol>", drawing.small_figure(&title, &said))
}

fn cost_table(spec: &SpecEvidence, trials: &[DeadlockTrial]) -> Option<String> {
    if trials.is_empty() {
        return None;
    }
    let mut rows = String::new();
    for (number, trial) in trials.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(
            rows,
            "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
             <td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td>{}</td></tr>",
            number + 1,
            duration_us(trial.deadlock_timeout_us),
            duration_us(trial.detection_us),
            duration_us(trial.predicted_us),
            escape(&trial.victim_session),
            duration_us(trial.lost_work_us),
            duration_us(trial.survivor_delay_us),
            if trial.retry_succeeded { duration_us(trial.retry_us) } else { "failed".into() },
        );
    }
    Some(format!(
        "<figure><figcaption>{}: what each deadlock cost</figcaption><div class=\"scroll\" tabindex=\"0\" role=\"region\" \
         aria-label=\"Cost of each deadlock\"><table><thead><tr><th scope=\"col\">trial</th><th scope=\"col\" class=\"number\">deadlock_timeout</th>\
         <th scope=\"col\" class=\"number\">detected after</th><th scope=\"col\" class=\"number\">by the rule</th><th scope=\"col\">victim</th>\
         <th scope=\"col\" class=\"number\">work lost</th><th scope=\"col\" class=\"number\">survivor done after</th><th scope=\"col\">retry</th></tr></thead>\
         <tbody>{rows}</tbody></table></div></figure>",
        escape(&spec.name)
    ))
}
