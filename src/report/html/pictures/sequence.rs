//! The order that deadlocks as a sequence diagram: sessions beside each other, or where these do
//! not fit as thin lines beside one column of statements.

use super::deadlock::{fate, step_of};
use super::svg::{Anchor, Drawing, cut, for_both, wrapped};
use crate::model::evidence::deadlock::{DeadlockCase, SpecEvidence};

const LINE: f64 = 16.0;
const GAP: f64 = 8.0;
const STATEMENT_LINES: usize = 4;
const LABEL_LINES: usize = 2;
/// Width of a character of the drawings' font, about; bold ones are wider.
const CHARACTER: f64 = 6.9;
const BOLD_CHARACTER: f64 = 8.3;

/// A step with the session that it is of.
struct Step<'a> {
    name: &'a str,
    lane: usize,
    sql: &'a str,
}

/// Where sessions and statements stand.
struct Layout {
    width: f64,
    /// Height of what stands above the first statement.
    head: f64,
    box_width: f64,
    /// Whether all statements stand in one column.
    is_column: bool,
}

impl Layout {
    const LANE: f64 = 320.0;
    const THIN_LANE: f64 = 14.0;
    /// More sessions than this do not fit beside each other.
    const LANES_MAX: usize = 3;
    const NARROW_WIDTH: f64 = 356.0;
    /// However many sessions there are, a statement has so much room.
    const BOX_MIN: f64 = 180.0;

    fn wide(lanes: usize) -> Self {
        if lanes > Self::LANES_MAX {
            return Self::column(lanes, Self::LANE * Self::LANES_MAX as f64);
        }
        let (width, box_width) = (lanes.max(1) as f64 * Self::LANE, Self::LANE - 2.0 * GAP);
        Self { width, head: 34.0, box_width, is_column: false }
    }

    fn narrow(lanes: usize) -> Self {
        Self::column(lanes, Self::NARROW_WIDTH)
    }

    fn column(lanes: usize, width: f64) -> Self {
        let box_width = (width - GAP - lanes as f64 * Self::THIN_LANE).max(Self::BOX_MIN);
        Self { width, head: LINE * lanes as f64 + 10.0, box_width, is_column: true }
    }

    /// Where a session's line stands.
    fn line(&self, lane: usize) -> f64 {
        let lane = lane as f64;
        if self.is_column { GAP + lane * Self::THIN_LANE } else { (lane + 0.5) * Self::LANE }
    }

    fn box_left(&self, lane: usize) -> f64 {
        if self.is_column { self.width - self.box_width - 1.0 } else { lane as f64 * Self::LANE + GAP }
    }

    /// What fits a line of a box.
    fn characters(&self, width_of_one: f64) -> usize {
        ((self.box_width - 2.0 * GAP) / width_of_one) as usize
    }
}

pub(super) fn figure(spec: &SpecEvidence, case: &DeadlockCase) -> String {
    let steps: Vec<Step<'_>> = case
        .steps
        .iter()
        .filter_map(|name| step_of(spec, name).map(|(lane, sql)| Step { name, lane, sql }))
        .collect();
    let title = format!("{}: the order that deadlocks, top to bottom", spec.name);
    let end = format!("the server ends {}: 40P01 deadlock detected", case.victim_session);
    let said = steps.iter().enumerate().map(|(number, step)| {
        let (_, state) = fate(case, step.name);
        format!("{}. {} ({}): {state}", number + 1, step.name, spec.sessions[step.lane].name)
    });
    let words: Vec<String> = said.chain([end.clone()]).collect();
    let words = words.join(". ");
    let lanes = spec.sessions.len();
    let drawn = |layout: &Layout| drawing(layout, spec, case, &steps, &end);
    let wide = drawn(&Layout::wide(lanes)).figure(&title, &words);
    for_both(&wide, &drawn(&Layout::narrow(lanes)).small_figure(&title, &words))
}

fn drawing(
    layout: &Layout,
    spec: &SpecEvidence,
    case: &DeadlockCase,
    steps: &[Step<'_>],
    end: &str,
) -> Drawing {
    let boxes: Vec<StepBox> =
        steps.iter().enumerate().map(|(number, step)| step_box(layout, spec, case, number, step)).collect();
    let all: f64 = boxes.iter().map(|step| step.height() + GAP).sum();
    let end_lines = wrapped(end, (layout.width / BOLD_CHARACTER) as usize, 3);
    let height = layout.head + all + LINE * end_lines.len() as f64 + 18.0;
    let mut drawing = Drawing::new(layout.width, height);
    for (lane, session) in spec.sessions.iter().enumerate() {
        draw_session(&mut drawing, layout, lane, &session.name, layout.head + all);
    }
    let mut top = layout.head;
    for (step, drawn) in steps.iter().zip(&boxes) {
        draw_step(&mut drawing, layout, step.lane, drawn, top);
        top += drawn.height() + GAP;
    }
    for (line, text) in end_lines.iter().enumerate() {
        let place = (layout.width / 2.0, top + 18.0 + LINE * line as f64);
        drawing.text(place, Anchor::Middle, "fail", true, text);
    }
    drawing
}

/// A statement and how it ended, as lines.
struct StepBox {
    sql: Vec<String>,
    label: Vec<String>,
    colour: &'static str,
}

impl StepBox {
    fn height(&self) -> f64 {
        LINE * (self.sql.len() + self.label.len()) as f64 + 12.0
    }
}

fn step_box(
    layout: &Layout,
    spec: &SpecEvidence,
    case: &DeadlockCase,
    number: usize,
    step: &Step<'_>,
) -> StepBox {
    let (colour, state) = fate(case, step.name);
    let of = if layout.is_column { format!(" of {}", spec.sessions[step.lane].name) } else { String::new() };
    let label = format!("{} {}{of}: {state}", number + 1, step.name);
    StepBox {
        sql: wrapped(step.sql, layout.characters(CHARACTER), STATEMENT_LINES),
        label: wrapped(&label, layout.characters(BOLD_CHARACTER), LABEL_LINES),
        colour,
    }
}

fn draw_step(drawing: &mut Drawing, layout: &Layout, lane: usize, step: &StepBox, top: f64) {
    let (left, height) = (layout.box_left(lane), step.height());
    drawing.bar((left, top), (layout.box_width, height), step.colour, false);
    if layout.is_column {
        let middle = top + height / 2.0;
        drawing.line((layout.line(lane), middle), (left, middle), step.colour, false);
        drawing.dot((layout.line(lane), middle), 4.0, step.colour);
    }
    let lines = step.sql.iter().map(|text| ("ink", false, text));
    let lines = lines.chain(step.label.iter().map(|text| (step.colour, true, text)));
    for (line, (colour, is_bold, text)) in lines.enumerate() {
        drawing.text((left + GAP, top + LINE * (line as f64 + 1.0)), Anchor::Start, colour, is_bold, text);
    }
}

/// A session's name, and its line down to the end of the last statement.
fn draw_session(drawing: &mut Drawing, layout: &Layout, lane: usize, name: &str, bottom: f64) {
    let x = layout.line(lane);
    if !layout.is_column {
        drawing.text((x, 18.0), Anchor::Middle, "ink", true, &cut(name, layout.characters(BOLD_CHARACTER)));
        drawing.line((x, 28.0), (x, bottom), "line", true);
        return;
    }
    let y = LINE * (lane as f64 + 1.0);
    let left = layout.box_left(lane);
    drawing.line((x, y - 4.0), (left, y - 4.0), "line", true);
    drawing.line((x, y - 4.0), (x, bottom), "line", true);
    drawing.text((left + GAP, y), Anchor::Start, "ink", true, &cut(name, layout.characters(BOLD_CHARACTER)));
}
