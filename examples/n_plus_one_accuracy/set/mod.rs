//! The labelled set: what is a loop, with N and parent, and what is none.

#![allow(clippy::cast_possible_wrap, reason = "all numbers of the pretended application are small")]
#![allow(dead_code, reason = "the example and the test use different parts")]
#![allow(unreachable_pub, reason = "shared by an example and a test, each a root of its own")]

#[macro_use]
mod app;
mod adversarial;
mod clean;
mod cut;
mod field;
mod generated;
mod held_out;
mod loops;
mod outside;
mod polymorphic;
mod reviewed;
mod score;
mod unseen;

#[allow(unused_imports, reason = "the test scores without clients")]
pub use score::{Score, merged, score, score_found};

use plimsoll::trace::Trace;

/// A piece of the parent's text, a piece of the child's, N.
pub type Loop = (&'static str, &'static str, u64);

/// What a person says about a trace.
pub enum Label {
    /// These loops.
    Loops(Vec<Loop>),
    /// No loop, but this kind of repetition, so many times.
    Repeat(&'static str, u64),
    /// The wire cannot tell: it may warn, and must not fail.
    Doubtful,
    /// Row by row writes or nothing at all, but nothing that fails or warns.
    Clean,
}

/// A labelled trace.
pub struct Labelled {
    pub name: &'static str,
    pub trace: Trace,
    pub label: Label,
}

fn labelled(name: &'static str, app: app::App, label: Label) -> Labelled {
    Labelled { name, trace: app.trace, label }
}

fn looped(name: &'static str, app: app::App, loops: &[(&'static str, &'static str, u64)]) -> Labelled {
    labelled(name, app, Label::Loops(loops.to_vec()))
}

/// The set that the detector was built with.
pub fn known() -> Vec<Labelled> {
    let mut set = loops::set();
    set.extend(clean::set());
    set
}

/// Written before the detector first ran, and looked at only afterwards.
pub fn held_out() -> Vec<Labelled> {
    held_out::set()
}

/// Written afterwards by somebody who tried to mislead the detector.
pub fn adversarial() -> Vec<Labelled> {
    adversarial::set()
}

/// In styles that the other parts do not have.
pub fn unseen() -> Vec<Labelled> {
    unseen::set()
}

/// Misjudged once on a real server.
pub fn field() -> Vec<Labelled> {
    field::set()
}

/// Children that alternate with the kind of the row.
pub fn polymorphic() -> Vec<Labelled> {
    polymorphic::set()
}

/// Misjudged once in programs from outside.
pub fn outside() -> Vec<Labelled> {
    outside::set()
}

/// Misjudged once on a server, when somebody tried to mislead the detector again.
pub fn reviewed() -> Vec<Labelled> {
    reviewed::set()
}

/// Loops over more rows than the recorder kept.
pub fn cut() -> Vec<Labelled> {
    cut::set()
}

/// Put together at random from a seed.
pub fn generated(count: u64, seed: u64) -> Vec<Labelled> {
    generated::set(count, seed)
}

/// The same over a pool, without anything that tells workers apart.
pub fn pooled(count: u64, seed: u64) -> Vec<Labelled> {
    generated::pooled(count, seed)
}
